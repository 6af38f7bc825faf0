"""`inject`: what a pod gets for each method, and what is left alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from kubernetes_objects import VERSIONS, check, expanded, patched

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.google._federation import Federation, of_document
from gcp_aws_bridge.inject import LABEL, Injection, Settings, inject

ARN = "arn:aws:iam::123456789012:role/etl"
ROLE = {"gcp-aws-bridge/role-arn": ARN}
LINKED = {"iam.gke.io/gcp-service-account": "etl@my-project.iam.gserviceaccount.com"}
PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"
ACCOUNT = "etl@my-project.iam.gserviceaccount.com"
GOOGLE = {
    "gcp-aws-bridge/google-provider": PROVIDER,
    "gcp-aws-bridge/google-service-account": ACCOUNT,
}
SERVED = {"gcp-aws-bridge/method": "google-serve"}
SETTINGS = Settings(image="registry.example.com/gcp-aws-bridge:1")
OLD = replace(SETTINGS, native_sidecars=False)
METHODS = {
    "cluster-token": ROLE,
    "google": ROLE | LINKED,
    "google-cloud": GOOGLE,
    "google-serve": GOOGLE | SERVED,
    "both clusters": ROLE | GOOGLE,
    "both sidecars": ROLE | LINKED | GOOGLE | SERVED,
    "cluster token for google-serve": ROLE | GOOGLE | SERVED,
}
# What a pod in a namespace with the Pod Security profile `restricted` has.
RESTRICTED = {
    "runAsUser": 1000,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "etl", "annotations": spec.pop("annotations", {})},
        "spec": {
            "containers": [
                *(containers or ({"name": "app", "image": "app:1"},)),
            ],
            **spec,
        },
    }


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: expanded(one["value"], {}) for one in container.get("env") or []}


def result(
    account: dict[str, str], of: dict[str, Any] | None = None, settings: Settings = SETTINGS
) -> tuple[dict[str, Any], Injection]:
    """Return the pod after the patch, which is valid and changes nothing a second time."""
    before = of or pod(securityContext=RESTRICTED)
    done = inject(before, account, settings)
    after = patched(before, done.patch)
    versions = VERSIONS if not settings.native_sidecars else VERSIONS[1:]
    check(after, *versions)
    assert inject(after, account, settings).patch == ()
    return after["spec"], done


# -- methods -------------------------------------------------------------------------------------


def test_cluster_token_adds_a_projected_token_and_variables_only() -> None:
    spec, done = result(ROLE | {"gcp-aws-bridge/audience": "aws:123456789012:etl"})
    assert spec["volumes"] == [
        {
            "name": "gcp-aws-bridge-aws",
            "projected": {
                "sources": [
                    {
                        "serviceAccountToken": {
                            "audience": "aws:123456789012:etl",
                            "expirationSeconds": 3600,
                            "path": "token",
                        }
                    }
                ]
            },
        }
    ]
    [container] = spec["containers"]
    [mount] = container["volumeMounts"]
    assert mount == {
        "name": "gcp-aws-bridge-aws",
        "mountPath": "/var/run/secrets/gcp-aws-bridge/aws",
        "readOnly": True,
    }
    assert variables(container) == {
        "AWS_ROLE_ARN": ARN,
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{mount['mountPath']}/token",
    }
    assert "initContainers" not in spec
    assert done.warnings == ()


def test_google_adds_a_sidecar_that_passes_the_restricted_profile() -> None:
    spec, done = result(ROLE | LINKED)
    [sidecar] = spec["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["args"][0] == "serve"
    assert variables(sidecar)["GCP_AWS_BRIDGE_ROLE_ARN"] == ARN
    assert sidecar["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["volumes"] == [
        {"name": "gcp-aws-bridge-endpoint", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    ]
    [container] = spec["containers"]
    assert variables(container) == {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9911/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": (
            "/var/run/secrets/gcp-aws-bridge/endpoint/token"
        ),
    }
    assert done.warnings == ()


def test_google_cloud_adds_a_configuration_that_the_library_reads() -> None:
    before = pod()
    done = inject(before, GOOGLE, SETTINGS)
    after = patched(before, done.patch)
    document = json.loads(after["metadata"]["annotations"]["gcp-aws-bridge/google-credentials"])
    federation = Federation(**of_document(document))
    assert (federation.audience, federation.service_account) == (PROVIDER, ACCOUNT)
    [container] = after["spec"]["containers"]
    folder = container["volumeMounts"][0]["mountPath"]
    assert document["credential_source"] == {"file": f"{folder}/token"}
    assert variables(container) == {
        "GOOGLE_APPLICATION_CREDENTIALS": f"{folder}/credentials.json",
        "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": f"{folder}/credentials.json",
        "GOOGLE_CLOUD_PROJECT": "my-project",
    }
    sources = after["spec"]["volumes"][0]["projected"]["sources"]
    assert sources[0]["serviceAccountToken"]["audience"] == PROVIDER
    assert sources[1]["downwardAPI"]["items"][0]["fieldRef"]["fieldPath"] == (
        "metadata.annotations['gcp-aws-bridge/google-credentials']"
    )


def test_google_serve_adds_a_metadata_server() -> None:
    spec, _ = result(GOOGLE | SERVED)
    [sidecar] = spec["initContainers"]
    assert sidecar["args"] == [
        *("google-serve", "--port=9913", "--status-host=0.0.0.0", "--status-port=9914"),
    ]
    assert variables(sidecar) == {
        "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE": PROVIDER,
        "GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT": ACCOUNT,
    }
    assert {*variables(spec["containers"][0]).values()} == {"127.0.0.1:9913"}


@pytest.mark.parametrize("settings", [SETTINGS, OLD], ids=["native", "ordinary"])
@pytest.mark.parametrize("account", METHODS.values(), ids=METHODS)
def test_every_container_gets_variables_and_a_second_application_changes_nothing(
    account: dict[str, str], settings: Settings
) -> None:
    other = {"name": "other", "image": "x", "env": [{"name": "A", "value": "$(HOME)"}]}
    spec, _ = result(account, pod({"name": "app"}, other, securityContext=RESTRICTED), settings)
    for container in spec["containers"][:2]:
        found = variables(container)
        assert ("gcp-aws-bridge/role-arn" in account) == any(name[:4] == "AWS_" for name in found)
        assert ("gcp-aws-bridge/google-provider" in account) == any(
            "CE_M" in n or "GOOGLE" in n for n in found
        )


def test_init_containers_have_credentials_as_the_sidecar_comes_first() -> None:
    before = pod(initContainers=[{"name": "load"}], securityContext=RESTRICTED)
    spec, _ = result(ROLE | LINKED, before)
    assert [one["name"] for one in spec["initContainers"]] == ["gcp-aws-bridge-serve", "load"]
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in variables(spec["initContainers"][1])


def test_google_serve_gets_the_aws_identity_of_the_pod_and_starts_after_it() -> None:
    spec, _ = result(ROLE | LINKED | GOOGLE | SERVED)
    serve, google_serve = spec["initContainers"]
    assert (serve["name"], google_serve["name"]) == (
        "gcp-aws-bridge-serve",
        "gcp-aws-bridge-google-serve",
    )
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in variables(google_serve)
    assert "GCE_METADATA_HOST" not in variables(serve)


def test_a_cluster_without_native_sidecars_gets_an_ordinary_container() -> None:
    before = pod(
        initContainers=[{"name": "load"}], restartPolicy="Never", securityContext=RESTRICTED
    )
    spec, done = result(ROLE | LINKED, before, OLD)
    assert [one["name"] for one in spec["containers"]] == ["app", "gcp-aws-bridge-serve"]
    assert "restartPolicy" not in spec["containers"][1]
    # The kubelet does not restart the containers of this pod that a startup probe ends.
    assert spec["containers"][1].keys() & {"startupProbe", "readinessProbe"} == {"readinessProbe"}
    assert spec["initContainers"] == [{"name": "load"}]
    assert [one.partition(":")[0] for one in done.warnings] == [
        "init containers have no credentials",
        "the pod does not end while its sidecar runs",
    ]


@pytest.mark.parametrize("account", [ROLE | LINKED, GOOGLE | SERVED], ids=["serve", "google-serve"])
@pytest.mark.parametrize(("first", "then"), [(OLD, SETTINGS), (SETTINGS, OLD)])
def test_a_pod_that_has_a_sidecar_of_the_other_kind_keeps_it(
    account: dict[str, str], first: Settings, then: Settings
) -> None:
    before = pod(initContainers=[{"name": "load"}], securityContext=RESTRICTED)
    after = patched(before, inject(before, account, first).patch)
    assert inject(after, account, then).patch == ()


# Pods as the injectors of Istio and Linkerd leave them.
PROXY = {"name": "istio-proxy", "securityContext": {"runAsUser": 1337}}
VALIDATION = {"name": "istio-validation", "securityContext": {"runAsUser": 1337}}
INIT = {"name": "istio-init", "securityContext": {"runAsUser": 0}}
LINKERD = {
    "name": "linkerd-proxy",
    "restartPolicy": "Always",
    "securityContext": {"runAsUser": 2102},
}


@pytest.mark.parametrize(
    ("first", "ordinary", "expected"),
    [
        ([INIT], [PROXY], "SIDECAR istio-init load"),
        (
            [VALIDATION, PROXY | {"restartPolicy": "Always"}],
            [],
            "istio-validation istio-proxy SIDECAR load",
        ),
        ([{"name": "linkerd-init"}, LINKERD], [], "linkerd-init linkerd-proxy SIDECAR load"),
    ],
)
@pytest.mark.parametrize("account", [ROLE | LINKED, GOOGLE | SERVED], ids=["serve", "google-serve"])
def test_containers_of_a_mesh_are_unchanged_and_the_sidecar_starts_after_the_proxy(
    account: dict[str, str], first: list[Any], ordinary: list[Any], expected: str
) -> None:
    app = {"name": "app", "securityContext": {"runAsUser": 1000}}
    before = pod(*ordinary, app, initContainers=[*first, {"name": "load"}])
    spec, _ = result(account, before)
    sidecar = (
        "gcp-aws-bridge-serve"
        if LINKED.items() <= account.items()
        else "gcp-aws-bridge-google-serve"
    )
    names = [one["name"] for one in spec["initContainers"]]
    assert names == expected.replace("SIDECAR", sidecar).split()
    every = {one["name"]: one for one in (*spec["initContainers"], *spec["containers"])}
    assert every[sidecar]["securityContext"]["runAsUser"] == 1000
    clients = [name for name, one in every.items() if name != sidecar and variables(one)]
    assert clients == ["load", "app"]
    for one in (*first, *ordinary):
        assert every[one["name"]] == one


def test_a_container_that_another_webhook_adds_first_does_not_change_the_sidecar() -> None:
    spec, _ = result(ROLE | LINKED)
    added = {"name": "log", "securityContext": {"runAsUser": 2000}}
    before = pod(added, *spec["containers"], **{k: v for k, v in spec.items() if k != "containers"})
    after, done = result(ROLE | LINKED, before)
    assert after == before["spec"]
    assert [one.split(" is ")[0] for one in done.warnings] == ["container log"]


@pytest.mark.parametrize(
    ("env", "warned"),
    [
        ({"HTTP_PROXY": "http://proxy:3128"}, True),
        ({"http_proxy": "http://proxy:3128", "NO_PROXY": "localhost,.internal"}, True),
        ({"http_proxy": "http://proxy:3128", "no_proxy": "localhost,127.0.0.1"}, False),
        ({"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "127.0.0.0/8"}, False),
        ({"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, False),
        ({"HTTP_PROXY": ""}, False),
        ({"HTTPS_PROXY": "http://proxy:3128"}, False),
    ],
)
@pytest.mark.parametrize("account", [ROLE | LINKED, GOOGLE | SERVED], ids=["serve", "google-serve"])
def test_http_proxy_between_container_and_sidecar_causes_a_warning(
    account: dict[str, str], env: dict[str, str], warned: bool
) -> None:
    own = [{"name": name, "value": value} for name, value in env.items()]
    before = pod({"name": "app", "env": own}, securityContext=RESTRICTED)
    _, done = result(account, before)
    assert ["NO_PROXY=127.0.0.1" in one for one in done.warnings] == [True] * warned


@pytest.mark.parametrize(
    "name", ["GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"]
)
def test_a_project_of_the_author_is_kept(name: str) -> None:
    own = {"name": "app", "env": [{"name": name, "value": "mine"}]}
    spec, _ = result(GOOGLE, pod(own))
    found = variables(spec["containers"][0])
    assert [one for key, one in found.items() if "PROJECT" in key] == ["mine"]


def test_warnings_fit_into_the_admission_response() -> None:
    # Kubernetes, "Dynamic Admission Control", section "Response": over 256 characters, the API
    # server may shorten a warning. The webhook writes "gcp-aws-bridge: " before each.
    name = "n" * 63
    env = [{"name": "HTTP_PROXY", "value": "x"}]
    other = {"name": f"{name[1:]}2", "securityContext": {"runAsUser": 2**31 - 1}}
    own = {"name": f"{name[1:]}3", "env": [{"name": "AWS_SHARED_CREDENTIALS_FILE", "value": "x"}]}
    before = pod(
        {"name": name, "env": env},
        other,
        own,
        initContainers=[{"name": "load"}],
        restartPolicy="Never",
    )
    known = {f"gcp-aws-bridge/{name}": "", "gcp-aws-bridge/skip-containers": name + "x"}
    texts = [
        *inject(before, ROLE | LINKED | known, OLD).warnings,
        *inject(pod(hostNetwork=True), ROLE | LINKED, SETTINGS).warnings,
    ]
    assert len(texts) == 9
    assert [one for one in texts if len(one) > 256 - len("gcp-aws-bridge: ")] == []


# -- annotations ---------------------------------------------------------------------------------


def test_annotations_of_the_pod_override_those_of_its_account() -> None:
    other = "arn:aws:iam::123456789012:role/other"
    spec, _ = result(ROLE, pod(annotations={"gcp-aws-bridge/role-arn": other}))
    assert variables(spec["containers"][0])["AWS_ROLE_ARN"] == other


def test_region_chain_and_expiration_reach_the_pod() -> None:
    chain = '[{"arn": "arn:aws:iam::210987654321:role/t", "external_id": "acme-42"}]'
    more = {"gcp-aws-bridge/region": "eu-west-1", "gcp-aws-bridge/chain": chain}
    spec, _ = result(ROLE | LINKED | more)
    [sidecar] = spec["initContainers"]
    assert variables(sidecar)["AWS_DEFAULT_REGION"] == "eu-west-1"
    [item] = json.loads(variables(sidecar)["GCP_AWS_BRIDGE_CHAIN"])
    assert item == json.loads(chain)[0]
    assert variables(spec["containers"][0])["AWS_REGION"] == "eu-west-1"
    spec, _ = result(ROLE | {"gcp-aws-bridge/token-expiration": "600"})
    [source] = spec["volumes"][0]["projected"]["sources"]
    assert source["serviceAccountToken"]["expirationSeconds"] == 600


def test_region_of_the_cluster_is_a_default() -> None:
    settings = replace(SETTINGS, region="us-west-2")
    spec, _ = result(ROLE, settings=settings)
    assert variables(spec["containers"][0])["AWS_DEFAULT_REGION"] == "us-west-2"
    own = {"name": "app", "env": [{"name": "AWS_REGION", "value": "eu-west-1"}]}
    spec, _ = result(ROLE, pod(own), settings)
    assert variables(spec["containers"][0])["AWS_REGION"] == "eu-west-1"
    assert "AWS_DEFAULT_REGION" not in variables(spec["containers"][0])


@pytest.mark.parametrize(
    ("prefix", "audience"),
    [
        ("eks.amazonaws.com", "sts.amazonaws.com"),
        ("amazonaws.com", "gtoken/sts/assume-role-with-web-identity"),
        ("example.com", "sts.amazonaws.com"),
    ],
)
def test_annotations_of_other_webhooks_are_read_when_asked(prefix: str, audience: str) -> None:
    account = {f"{prefix}/role-arn": ARN}
    assert inject(pod(), account, SETTINGS) == Injection()
    settings = replace(SETTINGS, prefixes=("gcp-aws-bridge", prefix))
    spec, _ = result(account, settings=settings)
    [source] = spec["volumes"][0]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == audience
    other = "arn:aws:iam::123456789012:role/other"
    spec, _ = result(account | {"gcp-aws-bridge/role-arn": other}, settings=settings)
    assert variables(spec["containers"][0])["AWS_ROLE_ARN"] == other


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("role-arn", "etl", "not the ARN of an IAM role"),
        ("role-arn", f"{ARN}\n", "not the ARN"),
        ("audience", "a\nb", "audience"),
        ("region", "Ireland", "region"),
        ("method", "sidecar", "must be one of cluster-token"),
        ("token-expiration", "60", "600 to 86400"),
        ("token-expiration", "1h", "600 to 86400"),
        ("token-expiration", "٣٦٠٠", "600 to 86400"),
        ("chain", "arn:aws:iam::1:role/x", "not the ARN"),
        ("chain", "[", "not JSON"),
        ("chain", "arn:aws:iam::210987654321:role/t", "method google"),
        ("google-provider", "pool", "audience"),
        ("google-service-account", "a%2Fb@p.iam.gserviceaccount.com", "not an e-mail"),
    ],
)
def test_malformed_annotations_are_errors(name: str, value: str, problem: str) -> None:
    account = ROLE | GOOGLE | {f"gcp-aws-bridge/{name}": value}
    with pytest.raises(ConfigError, match=problem) as caught:
        inject(pod(), account, SETTINGS)
    assert caught.value.error_id == "config/annotation"
    assert f"gcp-aws-bridge/{name} of the service account" in str(caught.value)


@pytest.mark.parametrize("value", [3600, True, 1.5, ["a"], {}])
def test_annotation_that_is_not_text_is_an_error_as_in_the_api_server(value: Any) -> None:
    account = ROLE | {"gcp-aws-bridge/token-expiration": value, 1: "a key of YAML"}
    with pytest.raises(ConfigError, match="gcp-aws-bridge/token-expiration is not text"):
        inject(pod(), account, SETTINGS)


@pytest.mark.parametrize("value", ["", None], ids=["empty", "null"])
@pytest.mark.parametrize("method", METHODS)
def test_an_empty_annotation_stands_for_the_default(method: str, value: str | None) -> None:
    names = ("audience", "region", "token-expiration", "skip-containers", "chain")
    more = {f"gcp-aws-bridge/{name}": value for name in names}
    account = METHODS[method]
    if "gcp-aws-bridge/method" not in account:
        more["gcp-aws-bridge/method"] = value
    expected = inject(pod(), account, SETTINGS)
    assert inject(pod(), account | more, SETTINGS) == expected
    before = pod(annotations=more)
    after = patched(before, inject(before, account, SETTINGS).patch)
    assert after["spec"] == patched(pod(), expected.patch)["spec"]


def test_empty_role_of_the_pod_overrides_the_role_of_its_account() -> None:
    assert inject(pod(annotations={"gcp-aws-bridge/role-arn": ""}), ROLE, SETTINGS) == Injection()


def test_empty_link_to_google_selects_cluster_token() -> None:
    spec, _ = result(ROLE | {"iam.gke.io/gcp-service-account": ""})
    assert "initContainers" not in spec


def test_only_the_service_account_can_be_linked_to_google() -> None:
    spec, _ = result(ROLE, pod(annotations=LINKED))
    assert "initContainers" not in spec


def test_default_audience_depends_on_the_prefix_of_the_role() -> None:
    settings = replace(SETTINGS, prefixes=("gcp-aws-bridge", "amazonaws.com"))
    spec, _ = result(ROLE, pod(annotations={"amazonaws.com/role-arn": ARN}), settings)
    [source] = spec["volumes"][0]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"].startswith("gtoken/")


@pytest.mark.parametrize("account", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("more", [{}, {"metadata": None}, {"metadata": {}}])
def test_pod_templates_need_no_metadata(more: dict[str, Any], account: dict[str, str]) -> None:
    template = {"spec": pod()["spec"]} | more
    done = inject(template, account, SETTINGS)
    after = patched(template, done.patch)
    assert inject(after, account, SETTINGS).patch == ()


def test_unknown_annotations_are_warnings() -> None:
    account = ROLE | {"gcp-aws-bridge/role_arn": ARN, LABEL: "true", "example.com/x": "1"}
    assert inject(pod(), account, SETTINGS).warnings == (
        "gcp-aws-bridge/role_arn has no meaning to gcp-aws-bridge",
    )


def test_a_labeled_pod_without_annotations_gets_a_warning() -> None:
    labeled = pod()
    labeled["metadata"]["labels"] = {LABEL: "true"}
    done = inject(labeled, LINKED, SETTINGS)
    assert (done.patch, len(done.warnings)) == ((), 1)
    assert LABEL in done.warnings[0]


def test_a_sidecar_without_an_image_is_an_error_that_says_what_to_pass() -> None:
    with pytest.raises(ConfigError, match="--image") as caught:
        inject(pod(), ROLE | LINKED, Settings())
    assert caught.value.error_id == "config/inject-image"


# -- what is left alone --------------------------------------------------------------------------


def test_a_pod_without_annotations_is_unchanged() -> None:
    assert inject(pod(), LINKED, SETTINGS) == Injection()


@pytest.mark.parametrize("account", METHODS.values(), ids=METHODS)
def test_skipped_containers_are_untouched(account: dict[str, str]) -> None:
    skipped = {"name": "proxy", "image": "x", "env": [], "volumeMounts": []}
    before = pod({"name": "app"}, skipped, securityContext=RESTRICTED)
    account = account | {"gcp-aws-bridge/skip-containers": "proxy, absent"}
    spec, done = result(account, before)
    assert spec["containers"][1] == skipped
    assert 'skip-containers names "absent", which the pod does not have' in done.warnings


@pytest.mark.parametrize(
    ("variable", "account"),
    [
        ("AWS_ACCESS_KEY_ID", ROLE),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_PROFILE", ROLE),
        ("AWS_DEFAULT_PROFILE", ROLE | LINKED),
        ("AWS_SHARED_CREDENTIALS_FILE", ROLE | LINKED),
        ("GCP_AWS_BRIDGE_ROLE_ARN", ROLE),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", ROLE | LINKED),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ROLE | LINKED),
        ("GOOGLE_APPLICATION_CREDENTIALS", GOOGLE),
        ("GCE_METADATA_HOST", GOOGLE | SERVED),
        ("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE", GOOGLE),
        ("AWS_ACCESS_KEY", ROLE),
        ("GOOGLE_CREDENTIALS", GOOGLE | SERVED),
        ("GOOGLE_OAUTH_ACCESS_TOKEN", GOOGLE),
        ("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", GOOGLE | SERVED),
    ],
)
def test_a_container_with_an_identity_of_its_own_is_not_changed(
    variable: str, account: dict[str, str]
) -> None:
    own = {"name": "own", "env": [{"name": variable, "value": "mine"}]}
    from_secret = {"name": variable, "valueFrom": {"secretKeyRef": {"name": "k", "key": "k"}}}
    before = pod(
        {"name": "app"}, own, {"name": "ref", "env": [from_secret]}, securityContext=RESTRICTED
    )
    spec, done = result(account, before)
    assert spec["containers"][1:] == before["spec"]["containers"][1:]
    assert [*done.warnings] == [
        f"container {name} is not changed: it sets {variable} itself" for name in ("own", "ref")
    ]


def test_container_with_an_empty_variable_is_changed() -> None:
    own = {"name": "app", "env": [{"name": "AWS_ACCESS_KEY_ID"}]}  # as the API server stores it
    spec, _ = result(ROLE, pod(own))
    assert variables({"env": spec["containers"][0]["env"][1:]})["AWS_ROLE_ARN"] == ARN


def test_container_with_an_empty_role_is_not_changed() -> None:
    own = {"name": "app", "env": [{"name": "AWS_ROLE_ARN", "value": ""}]}
    spec, done = result(ROLE, pod(own))
    assert spec == pod(own)["spec"]
    assert "AWS_ROLE_ARN" in done.warnings[0]


@pytest.mark.parametrize("path", ["gcp-aws-bridge/aws", "gcp-aws-bridge/aws/"])
def test_a_mount_of_the_author_at_the_same_path_is_a_warning(path: str) -> None:
    mount = {"name": "own", "mountPath": f"/var/run/secrets/{path}"}
    before = pod(
        {"name": "app", "volumeMounts": [mount]}, volumes=[{"name": "own", "emptyDir": {}}]
    )
    spec, done = result(ROLE, before)
    assert spec == before["spec"]
    assert "it sets a mount at /var/run/secrets/gcp-aws-bridge/aws itself" in done.warnings[0]


@pytest.mark.parametrize("account", METHODS.values(), ids=METHODS)
def test_a_pod_whose_containers_all_have_an_identity_gets_nothing(account: dict[str, str]) -> None:
    names = ("AWS_ACCESS_KEY_ID", "GOOGLE_APPLICATION_CREDENTIALS")
    own = {"name": "app", "env": [{"name": name, "value": "mine"} for name in names]}
    skipped = {"name": "skipped"}
    before = pod(own, skipped, annotations={"gcp-aws-bridge/skip-containers": "skipped"})
    spec, done = result(account, before)
    assert spec == before["spec"]
    assert "app" in done.warnings[0]


@pytest.mark.parametrize("account", [ROLE | LINKED, GOOGLE | SERVED], ids=["serve", "google-serve"])
def test_a_sidecar_is_not_added_with_host_network(account: dict[str, str]) -> None:
    done = inject(pod(hostNetwork=True), account, SETTINGS)
    assert done.patch == ()
    assert "hostNetwork" in done.warnings[0]


def test_cluster_token_works_with_host_network() -> None:
    spec, _ = result(ROLE, pod(hostNetwork=True))
    assert "AWS_ROLE_ARN" in variables(spec["containers"][0])


@pytest.mark.parametrize(
    "spec",
    [
        {"os": {"name": "windows"}},
        {"nodeSelector": {"kubernetes.io/os": "windows"}},
        {"securityContext": {"windowsOptions": {"runAsUserName": "ContainerUser"}}},
    ],
)
def test_pods_on_windows_get_a_warning(spec: dict[str, Any]) -> None:
    done = inject(pod(**spec), ROLE, SETTINGS)
    assert done.patch == ()
    assert "Windows" in done.warnings[0]


def test_mirror_pods_are_unchanged() -> None:
    own = {"kubernetes.io/config.mirror": "abc"}
    assert inject(pod(annotations=own), ROLE, SETTINGS) == Injection()


# -- users ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of_pod", "of_containers", "sidecar", "changed"),
    [
        (1000, (None, None), 1000, [True, True]),
        (None, (1000, 1000), 1000, [True, True]),
        (None, (1000, 2000), 1000, [True, False]),
        (2000, (None, 1000), 2000, [True, False]),
        (0, (None, 1000), 1000, [True, True]),
        (0, (None, None), 65532, [True, True]),
        (None, (None, None), 65532, [True, True]),
        (None, (None, 1000), 1000, [True, True]),
    ],
)
def test_the_sidecar_runs_as_the_user_that_must_read_its_token(
    of_pod: int | None, of_containers: tuple[int | None, ...], sidecar: int, changed: list[bool]
) -> None:
    containers = [
        {"name": f"c{index}", "securityContext": {} if user is None else {"runAsUser": user}}
        for index, user in enumerate(of_containers)
    ]
    context = {} if of_pod is None else {"runAsUser": of_pod}
    spec, done = result(ROLE | LINKED, pod(*containers, securityContext=context))
    context = spec["initContainers"][0]["securityContext"]
    assert (context["runAsUser"], context["runAsNonRoot"]) == (sidecar, True)
    assert [bool(variables(one)) for one in spec["containers"]] == changed
    unknown = [of_pod is None and user is None for user in of_containers]
    assert len(done.warnings) == unknown.count(True) + changed.count(False)
