"""From manifests with a recipe to manifests without."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from suite import examples

from gcp_aws_bridge.provision.migrate import Migration, migrate
from gcp_aws_bridge.provision.recipe import AwsConfig, Setting, script

yaml = pytest.importorskip("yaml")
kubernetes_validate = pytest.importorskip("kubernetes_validate")

# As it is copied from page to page.
SCRIPT = """\
#!/bin/bash
jwt_token=$(curl -sH "Metadata-Flavor: Google" "http://metadata/computeMetadata/v1/instance/\
service-accounts/default/identity?audience=$GCP_OAUTH_AUD&format=full&licenses=FALSE")
credentials=$(aws sts assume-role-with-web-identity --profile script --role-arn $AWS_ROLE_ARN \
--role-session-name $GCP_OAUTH_AUD --web-identity-token $jwt_token | jq '.Credentials' | \
jq '.Version=1')
echo $credentials
"""
CONFIG = (
    "[default]\ncredential_process = /aws/credentials.sh\nregion = eu-west-1\n[profile script]\n"
)
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: etl}
spec:
  selector: {matchLabels: {app: etl}}
  template:
    metadata: {labels: {app: etl}}
    spec:
      serviceAccountName: etl
      volumes:
        - name: aws
          configMap: {name: aws, defaultMode: 0755}
        - name: data
          emptyDir: {}
      containers:
        - name: etl
          image: registry.example.com/etl:1
          env:
            - {name: AWS_CONFIG_FILE, value: /aws/config}
            - {name: AWS_ROLE_ARN, value: "arn:aws:iam::123456789012:role/etl"}
            - {name: GCP_OAUTH_AUD, value: "103456789012345678901"}
            - {name: BUCKET, value: reports}
          volumeMounts:
            - {name: aws, mountPath: /aws}
            - {name: data, mountPath: /data}
"""


def loaded(text: str) -> list[Any]:
    return list(yaml.safe_load_all(text))


def recipe() -> list[Any]:
    documents = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "aws"},
            "data": {"config": CONFIG, "credentials.sh": SCRIPT},
        }
    ]
    return [*documents, *loaded(DEPLOYMENT)]


def pod_of(documents: list[Any]) -> Any:
    [pod] = [one["spec"]["template"]["spec"] for one in documents if one["kind"] == "Deployment"]
    return pod


def container_of(documents: list[Any]) -> Any:
    return pod_of(documents)["containers"][0]


def variables_of(container: Any) -> dict[str, Any]:
    return {one["name"]: one.get("value") for one in container.get("env", [])}


def valid(result: Migration) -> None:
    for document in result.documents:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


# -- the credential_process script -----------------------------------------------------------------


def test_script_volume_and_variable_are_removed() -> None:
    wanted = recipe()[1:]
    container = container_of(wanted)
    container["env"] = [
        *container["env"][1:],
        {"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"},
    ]
    del container["volumeMounts"][0], pod_of(wanted)["volumes"][0]
    result = migrate(recipe())
    assert wanted == result.documents
    assert [] == result.left
    valid(result)


def test_region_of_the_pod_is_kept() -> None:
    documents = recipe()
    container_of(documents)["env"].append({"name": "AWS_REGION", "value": "us-east-2"})
    variables = variables_of(container_of(migrate(documents).documents))
    assert ("us-east-2", None) == (variables["AWS_REGION"], variables.get("AWS_DEFAULT_REGION"))


def test_settings_of_the_script_become_variables() -> None:
    documents = recipe()
    text = SCRIPT.replace("$AWS_ROLE_ARN", '"arn:aws:iam::123456789012:role/etl"')
    text = text.replace("audience=$GCP_OAUTH_AUD", "audience=my-audience")
    text = text.replace("--role-session-name $GCP_OAUTH_AUD", "--role-session-name $MY_NAME")
    documents[0]["data"]["credentials.sh"] = text.replace("--web", "--duration-seconds=7200 --web")
    container = container_of(documents)
    container["env"] = [
        {"name": "AWS_CONFIG_FILE", "value": "/aws/config"},
        {"name": "MY_NAME", "value": "nightly"},
    ]
    result = migrate(documents)
    assert {
        "MY_NAME": "nightly",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "GCP_AWS_BRIDGE_ROLE_ARN": "arn:aws:iam::123456789012:role/etl",
        "GCP_AWS_BRIDGE_AUDIENCE": "my-audience",
        "GCP_AWS_BRIDGE_ROLE_SESSION_NAME": "$(MY_NAME)",
        "GCP_AWS_BRIDGE_DURATION_SECONDS": "7200",
    } == variables_of(container_of(result.documents))
    valid(result)


def test_assignments_of_the_script_are_followed() -> None:
    text = 'ARN="$ROLE"\nAUD=aws:1:etl\n' + SCRIPT.replace("$AWS_ROLE_ARN", "${ARN}")
    found = script(text.replace("$GCP_OAUTH_AUD", "$AUD"))
    assert found is not None
    assert Setting("ROLE", is_variable=True) == found["role_arn"]
    assert Setting("aws:1:etl") == found["audience"]


def test_assignments_in_a_circle_are_not_followed() -> None:
    found = script("A=$B\nB=$A\n" + SCRIPT.replace("$AWS_ROLE_ARN", "$A"))
    assert found is not None
    assert found["role_arn"] is None


def test_profile_is_removed_with_its_file() -> None:
    documents = recipe()
    documents[0]["data"]["config"] = CONFIG.replace("[default]", "[profile aws]")
    container_of(documents)["env"].append({"name": "AWS_PROFILE", "value": "aws"})
    result = migrate(documents)
    assert [] == result.left
    assert "AWS_PROFILE" not in variables_of(container_of(result.documents))


def test_other_keys_of_the_config_map_are_kept() -> None:
    documents = recipe()
    documents[0]["data"]["settings.ini"] = "[etl]\n"
    container_of(documents)["volumeMounts"].append(
        {"name": "aws", "mountPath": "/root/.aws/config", "subPath": "config"}
    )
    result = migrate(documents)
    assert {"settings.ini": "[etl]\n"} == result.documents[0]["data"]
    assert {"name": "aws", "mountPath": "/aws"} == container_of(result.documents)["volumeMounts"][0]
    assert 2 == len(container_of(result.documents)["volumeMounts"])
    assert "AWS_CONFIG_FILE" not in variables_of(container_of(result.documents))
    valid(result)


def test_items_of_a_volume_with_the_script_are_removed() -> None:
    documents = recipe()
    documents[0]["data"]["settings.ini"] = "[etl]\n"
    items = [{"key": key, "path": key} for key in ("config", "credentials.sh", "settings.ini")]
    pod_of(documents)["volumes"][0]["configMap"]["items"] = copy.deepcopy(items)
    pod_of(documents)["volumes"].append(
        {"name": "script", "configMap": {"name": "aws", "items": copy.deepcopy(items[:2])}}
    )
    container_of(documents)["volumeMounts"].append({"name": "script", "mountPath": "/script"})
    result = migrate(documents)
    volumes = pod_of(result.documents)["volumes"]
    assert ["aws", "data"] == [one["name"] for one in volumes]
    assert items[2:] == volumes[0]["configMap"]["items"]
    mounts = container_of(result.documents)["volumeMounts"]
    assert ["aws", "data"] == [one["name"] for one in mounts]


@pytest.mark.parametrize("kind", ["Pod", "Job", "StatefulSet", "CronJob", "List"])
def test_pods_are_found_in_all_workload_objects(kind: str) -> None:
    documents = recipe()
    deployment = documents.pop()
    template = deployment["spec"]["template"]
    made = {
        "Pod": {"kind": "Pod", "spec": template["spec"]},
        "Job": {"kind": "Job", "spec": {"template": template}},
        "StatefulSet": {"kind": "StatefulSet", "spec": {"template": template}},
        "CronJob": {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}},
        "List": {"kind": "List", "items": [deployment]},
    }[kind]
    made["metadata"] = {"name": "etl"}
    result = migrate([*documents, made])
    assert [] == result.left
    assert [made] == result.documents
    assert "AWS_CONFIG_FILE" not in str(made)


def spoil_file(documents: list[Any]) -> None:
    container_of(documents)["env"][0]["value"] = "/elsewhere/config"


def spoil_more(documents: list[Any]) -> None:
    documents[0]["data"]["config"] += "[default]\nmax_attempts = 9\n"


def spoil_two(documents: list[Any]) -> None:
    documents[0]["data"]["other.sh"] = SCRIPT


def spoil_profile(documents: list[Any]) -> None:
    documents[0]["data"]["config"] = CONFIG.replace("[default]", "[profile aws]")


def spoil_shell(documents: list[Any]) -> None:
    text = SCRIPT.replace("--role-arn $AWS_ROLE_ARN", "--role-arn $(cat /role)")
    documents[0]["data"]["credentials.sh"] = text


def spoil_default(documents: list[Any]) -> None:
    text = SCRIPT.replace("=$GCP_OAUTH_AUD&", "=${GCP_OAUTH_AUD:-sts.amazonaws.com}&")
    documents[0]["data"]["credentials.sh"] = text


def spoil_variable(documents: list[Any]) -> None:
    del container_of(documents)["env"][1]


def spoil_env_from(documents: list[Any]) -> None:
    container_of(documents)["envFrom"] = [{"configMapRef": {"name": "aws"}}]


def spoil_projected(documents: list[Any]) -> None:
    source = {"configMap": {"name": "aws"}}
    pod_of(documents)["volumes"][0] = {"name": "aws", "projected": {"sources": [source]}}


def spoil_no_config(documents: list[Any]) -> None:
    del documents[0]["data"]["config"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_file, "AWS_CONFIG_FILE of etl is /elsewhere/config, in another folder"),
        (spoil_more, "its AWS config file has other settings: [default] max_attempts"),
        (spoil_two, "there are several scripts or AWS config files"),
        (spoil_profile, "it is not clear which container uses the AWS profile aws"),
        (spoil_shell, "the value of role_arn in the script can be determined only by a shell"),
        (spoil_default, "the value of audience in the script can be determined only by a shell"),
        (spoil_variable, "etl has no variable AWS_ROLE_ARN"),
        (spoil_env_from, "it uses the ConfigMap aws for variables or a projection"),
        (spoil_projected, "it uses the ConfigMap aws for variables or a projection"),
        (spoil_no_config, "the AWS config file that names the script is not in the manifest"),
    ],
)
def test_pod_that_is_not_understood_is_not_changed(spoil: Any, said: str) -> None:
    documents = recipe()
    spoil(documents)
    before = copy.deepcopy(documents)
    result = migrate(documents)
    assert ([f"Deployment etl: {said}."], []) == (result.left, result.done)
    assert before == result.documents


def test_config_map_of_another_pod_is_kept() -> None:
    documents = recipe()
    other = copy.deepcopy(documents[1])
    other["metadata"]["name"] = "other"
    del other["spec"]["template"]["spec"]["containers"][0]["env"][1]
    before = copy.deepcopy([documents[0], other])
    result = migrate([*documents, other])
    assert before == [result.documents[0], result.documents[2]]
    assert ["Deployment other: etl has no variable AWS_ROLE_ARN."] == result.left


def test_config_map_of_another_namespace_is_ignored() -> None:
    documents = recipe()
    documents[0]["metadata"]["namespace"] = "elsewhere"
    assert ([], []) == (migrate(documents).done, migrate(documents).left)


@pytest.mark.parametrize("text", ["", "[default", "region = x\ncredential_process = y", "a: b"])
def test_other_files_are_not_aws_config_files(text: str) -> None:
    assert AwsConfig.read(text) is None


@pytest.mark.parametrize("documents", [[], [None], ["text"], [{"kind": "Pod"}], [{"spec": 1}]])
def test_other_documents_are_not_changed(documents: list[Any]) -> None:
    before = copy.deepcopy(documents)
    assert (before, [], []) == (
        migrate(documents).documents,
        migrate(documents).done,
        migrate(documents).left,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


def nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every place in *value* that something else may be put in."""
    keys = [*value] if isinstance(value, dict) else range(len(value))
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], (dict, list)):
            found += nodes(value[key])
    return found


@settings(max_examples=examples(400), deadline=None)
@given(data=st.data())
def test_objects_of_another_structure_are_ignored(data: st.DataObject) -> None:
    documents = [*recipe(), *loaded(GTOKEN), *loaded(ANNOTATED)]
    for _ in range(data.draw(st.integers(1, 2))):
        owner, key = data.draw(st.sampled_from(nodes(documents)))
        owner[key] = data.draw(JSON)
    migrate(documents)


# -- a sidecar with a token file -------------------------------------------------------------------

METADATA = "http://metadata/computeMetadata/v1/instance/service-accounts/default/identity"
GTOKEN = """\
apiVersion: v1
kind: Pod
metadata: {name: etl}
spec:
  serviceAccountName: etl
  initContainers:
    - name: generate-gcp-id-token
      image: doitintl/gtoken:latest
      command: [/gtoken, --file=/var/run/secrets/aws/token/gtoken, --refresh=false]
      volumeMounts: [{name: gtoken-volume, mountPath: /var/run/secrets/aws/token}]
  containers:
    - name: etl
      image: registry.example.com/etl:1
      env:
        - {name: AWS_WEB_IDENTITY_TOKEN_FILE, value: /var/run/secrets/aws/token/gtoken}
        - {name: AWS_ROLE_ARN, value: "arn:aws:iam::123456789012:role/etl"}
      volumeMounts:
        - {name: scratch, mountPath: /var/run}
        - {name: gtoken-volume, mountPath: /var/run/secrets/aws/token}
    - name: update-gcp-id-token
      image: doitintl/gtoken:latest
      command: [/gtoken, --file=/var/run/secrets/aws/token/gtoken, --refresh=true]
      volumeMounts: [{name: gtoken-volume, mountPath: /var/run/secrets/aws/token}]
  volumes:
    - {name: scratch, emptyDir: {}}
    - {name: gtoken-volume, emptyDir: {medium: Memory}}
"""


def test_gtoken_sidecar_is_removed_and_its_audience_kept() -> None:
    result = migrate(loaded(GTOKEN))
    [pod] = result.documents
    assert {
        "serviceAccountName": "etl",
        "containers": [
            {
                "name": "etl",
                "image": "registry.example.com/etl:1",
                "env": [
                    {"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::123456789012:role/etl"},
                    {
                        "name": "GCP_AWS_BRIDGE_AUDIENCE",
                        "value": "gtoken/sts/assume-role-with-web-identity",
                    },
                ],
                "volumeMounts": [{"name": "scratch", "mountPath": "/var/run"}],
            }
        ],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    } == pod["spec"]
    assert [] == result.left
    valid(result)


@pytest.mark.parametrize(
    ("line", "audience"),
    [
        (
            f"curl '{METADATA}?audience=my-aud' > /t; sleep 9",
            "my-aud",
        ),
        ("gcloud auth print-identity-token --audiences=my-aud > /t", "my-aud"),
        ("gcloud auth print-identity-token --audiences=$AUD > /t", "of-the-sidecar"),
        ("gcp-aws-bridge token --watch --audience my-aud --file /t", "my-aud"),
    ],
)
def test_custom_sidecar_is_understood(line: str, audience: str) -> None:
    documents = loaded(GTOKEN)
    spec = documents[0]["spec"]
    del spec["initContainers"]
    spec["containers"][1] |= {"image": "example.com/tools:1", "command": ["sh", "-c", line]}
    spec["containers"][1]["env"] = [{"name": "AUD", "value": "of-the-sidecar"}]
    result = migrate(documents)
    assert [] == result.left
    variables = variables_of(result.documents[0]["spec"]["containers"][0])
    assert audience == variables["GCP_AWS_BRIDGE_AUDIENCE"]
    assert 1 == len(result.documents[0]["spec"]["containers"])


def spoil_writer(spec: Any) -> None:
    spec["containers"][1] |= {"image": "example.com/tools:1", "command": ["./tokens"]}
    del spec["initContainers"]


def spoil_no_writer(spec: Any) -> None:
    del spec["containers"][1], spec["initContainers"]


def spoil_other_reader(spec: Any) -> None:
    mounts = [{"name": "gtoken-volume", "mountPath": "/x"}]
    spec["containers"].append({"name": "log", "image": "example.com/log:1", "volumeMounts": mounts})


def spoil_role(spec: Any) -> None:
    del spec["containers"][0]["env"][1]


def spoil_volume(spec: Any) -> None:
    spec["volumes"][1] = {
        "name": "gtoken-volume",
        "projected": {"sources": [{"serviceAccountToken": {"path": "gtoken"}}]},
    }


def spoil_path(spec: Any) -> None:
    spec["containers"][0]["env"][0]["value"] = "/elsewhere/token"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_writer, "the audience of update-gcp-id-token is not in the manifest"),
        (spoil_no_writer, "it is not clear which container writes to gtoken-volume, and for which"),
        (spoil_other_reader, "the audience of log is not in the manifest"),
        (spoil_role, "etl has no variable AWS_ROLE_ARN"),
        (spoil_volume, "its token comes from the volume gtoken-volume instead of a sidecar"),
        (spoil_path, "the token file of etl is in no volume"),
    ],
)
def test_sidecar_that_is_not_understood_is_kept(spoil: Any, said: str) -> None:
    documents = loaded(GTOKEN)
    spoil(documents[0]["spec"])
    before = copy.deepcopy(documents)
    result = migrate(documents)
    [left] = result.left
    assert left.startswith(f"Pod etl: {said}")
    assert (before, []) == (result.documents, result.done)


ANNOTATED = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: etl
  annotations:
    iam.gke.io/gcp-service-account: etl-runner@my-project.iam.gserviceaccount.com
    amazonaws.com/role-arn: arn:aws:iam::123456789012:role/etl
---
apiVersion: v1
kind: Pod
metadata: {name: etl}
spec:
  serviceAccountName: etl
  containers: [{name: etl, image: "registry.example.com/etl:1"}]
"""


def test_variables_of_the_webhook_are_set() -> None:
    result = migrate(loaded(ANNOTATED))
    account, pod = result.documents
    assert ["iam.gke.io/gcp-service-account"] == [*account["metadata"]["annotations"]]
    assert {
        "GCP_AWS_BRIDGE_ROLE_ARN": "arn:aws:iam::123456789012:role/etl",
        "GCP_AWS_BRIDGE_AUDIENCE": "gtoken/sts/assume-role-with-web-identity",
    } == variables_of(pod["spec"]["containers"][0])
    valid(result)


def test_annotation_is_kept_if_its_pods_are_not_in_the_manifest() -> None:
    documents = loaded(ANNOTATED)[:1]
    before = copy.deepcopy(documents)
    assert (before, []) == (migrate(documents).documents, migrate(documents).done)
