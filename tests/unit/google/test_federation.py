"""Which Google identity is wanted: checked, and read from where it may stand."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gcp_aws_bridge import google
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.google._federation import configured

NAME = "projects/123456789012/locations/global/workloadIdentityPools/aws-pods/providers/etl"
AUDIENCE = f"//iam.googleapis.com/{NAME}"
ACCOUNT = "etl@my-project.iam.gserviceaccount.com"
IMPERSONATION = (
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
    f"{ACCOUNT}:generateAccessToken"
)
DOCUMENT = {
    "type": "external_account",
    "audience": AUDIENCE,
    "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
    "token_url": "https://sts.googleapis.com/v1/token",
    "credential_source": {"environment_id": "aws1"},
}


@pytest.mark.parametrize("spelling", [NAME, AUDIENCE, f"https:{AUDIENCE}"])
def test_spellings_of_one_provider_are_equal(spelling: str) -> None:
    assert google.Federation(AUDIENCE) == google.Federation(spelling)
    assert AUDIENCE == google.Federation(spelling).audience
    assert f"https:{AUDIENCE}" == google.Federation(spelling).pool_audience


@pytest.mark.parametrize(
    "audience",
    [
        *("", "sts.amazonaws.com", NAME.removesuffix("/etl"), f"{NAME}/", f"{AUDIENCE}?x", None),
        "//iam.googleapis.com/locations/global/workforcePools/people/providers/okta",
        f"{AUDIENCE}\n",
        f"http:{AUDIENCE}",
    ],
)
def test_what_is_no_provider_is_refused(audience: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        google.Federation(audience)
    assert "config/google-audience" == caught.value.error_id


def test_a_projects_id_in_the_place_of_its_number_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        google.Federation(AUDIENCE.replace("123456789012", "my-project"))
    assert "gcloud projects describe my-project" in caught.value.fix


@pytest.mark.parametrize(
    ("setting", "error_id"),
    [
        ({"service_account": "etl"}, "config/google-service-account"),
        ({"service_account": "a@b.c/../x"}, "config/google-service-account"),
        ({"service_account": "a@b.c:generateIdToken"}, "config/google-service-account"),
        ({"lifetime_s": 599}, "config/google-setting"),
        ({"lifetime_s": 43_201}, "config/google-setting"),
        ({"lifetime_s": 3600.0}, "config/google-setting"),
        ({"lifetime_s": True}, "config/google-setting"),
        ({"universe_domain": "evil.example/x"}, "config/google-setting"),
        ({"sts_url": "http://sts.example/v1/token"}, "config/google-plain-http"),
        ({"iam_url": "http://[::1"}, "config/google-plain-http"),
        ({"iam_url": "https://"}, "config/google-plain-http"),
        ({"sts_url": "ftp://127.0.0.1/"}, "config/google-plain-http"),
        # HTTP clients send this to evil.example (WHATWG URL standard); here it is a user name.
        ({"sts_url": "http://evil.example\\@127.0.0.1/v1/token"}, "config/google-plain-http"),
        ({"iam_url": "https://user:password@iam.example"}, "config/google-setting"),
        ({"sts_url": "https://sts.example/v1/token?x"}, "config/google-setting"),
        ({"sts_url": "https://sts.example/"}, "config/google-setting"),  # whose /v1/token answers
    ],
)
def test_what_google_could_only_refuse_or_others_read_is_refused_here(
    setting: dict[str, Any], error_id: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        google.Federation(AUDIENCE, **setting)
    assert error_id == caught.value.error_id


def test_addresses_are_those_of_the_universe_unless_they_are_given() -> None:
    elsewhere = google.Federation(AUDIENCE, universe_domain="cloud.example")
    assert "https://sts.cloud.example/v1/token" == elsewhere.sts_url
    assert "https://iamcredentials.cloud.example" == elsewhere.iam_url
    assert elsewhere.audience.startswith("//iam.cloud.example/")
    private = google.Federation(AUDIENCE, sts_url="https://sts-psc.p.googleapis.com/v1/token/")
    assert "https://sts-psc.p.googleapis.com/v1/token" == private.sts_url


def test_provider_of_another_universe_is_rejected() -> None:
    """Else its token would be asked of, and shown to, another cloud."""
    audience = AUDIENCE.replace("googleapis.com", "cloud.example")
    with pytest.raises(ConfigError) as caught:
        google.Federation(audience)
    assert "config/google-audience" == caught.value.error_id
    assert 'universe_domain="cloud.example"' in caught.value.fix
    assert audience == google.Federation(audience, universe_domain="cloud.example").audience


def test_it_pickles_as_its_settings() -> None:
    federation = google.Federation(AUDIENCE, ACCOUNT, 900)
    assert federation == pickle.loads(pickle.dumps(federation))
    assert federation == replace(federation)


# -- where it stands ----------------------------------------------------------------------------


def written(folder: Path, document: Any) -> str:
    path = folder / "credentials.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def test_argument_environment_and_file_ask_for_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = google.Federation(AUDIENCE, ACCOUNT)
    assert (wanted, {}) == configured(audience=AUDIENCE, service_account=ACCOUNT)
    with monkeypatch.context() as patch:
        patch.setenv("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE", AUDIENCE)
        patch.setenv("GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT", ACCOUNT)
        assert (wanted, {}) == configured(audience=None)
    document = {**DOCUMENT, "service_account_impersonation_url": IMPERSONATION}
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", written(tmp_path, document))
    assert (wanted, document) == configured()


def test_an_encoded_account_in_the_file_is_decoded_once_and_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    encoded = IMPERSONATION.replace("@", "%40")
    for url, account in (
        (encoded, ACCOUNT),
        (encoded.replace("%40", "%2540"), None),
        (encoded.replace(":generate", "%3AgenerateIdToken%3Fx=:generate"), None),
        (IMPERSONATION.replace(ACCOUNT, f"victim@b.c:signBlob?x={ACCOUNT}"), None),
        (IMPERSONATION.replace(ACCOUNT, f"..%2F..%2F{ACCOUNT}"), None),
    ):
        document = {**DOCUMENT, "service_account_impersonation_url": url}
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", written(tmp_path, document))
        if account is not None:
            assert account == configured()[0].service_account
            continue
        with pytest.raises(ConfigError) as caught:
            configured()
        assert "config/google-service-account" == caught.value.error_id


@pytest.mark.parametrize("digits", ["\uff11\uff12\uff13", "\u0661\u0662"])
def test_a_project_number_is_of_ascii_digits(digits: str) -> None:
    with pytest.raises(ConfigError) as caught:
        google.Federation(AUDIENCE.replace("123456789012", digits))
    assert "config/google-audience" == caught.value.error_id


def test_arguments_come_before_the_environment_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    document = {**DOCUMENT, "service_account_impersonation_url": IMPERSONATION}
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", written(tmp_path, document))
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT", "b@my.iam.gserviceaccount.com")
    assert "b@my.iam.gserviceaccount.com" == configured()[0].service_account
    assert "c@my.example" == configured(service_account="c@my.example")[0].service_account


def test_an_audience_that_is_given_has_the_file_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")
    assert (google.Federation(AUDIENCE), {}) == configured(audience=AUDIENCE)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_as_powershell_writes_it_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str
) -> None:
    path = Path(written(tmp_path, DOCUMENT))
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    assert DOCUMENT == configured()[1]


def test_addresses_of_the_environment_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_STS_URL", "http://127.0.0.1:1/v1/token")
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_IAM_URL", "http://127.0.0.1:2")
    federation, _ = configured(audience=AUDIENCE)
    assert ("http://127.0.0.1:1/v1/token", "http://127.0.0.1:2") == (
        federation.sts_url,
        federation.iam_url,
    )


def test_a_file_says_lifetime_and_addresses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    document = {
        **DOCUMENT,
        "token_url": "https://sts-psc.p.googleapis.com/v1/token",
        "service_account_impersonation_url": IMPERSONATION.replace("credentials.", "-psc.p."),
        "service_account_impersonation": {"token_lifetime_seconds": 2800},
    }
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", written(tmp_path, document))
    federation, _ = configured()
    assert 2800 == federation.lifetime_s
    assert "https://sts-psc.p.googleapis.com/v1/token" == federation.sts_url
    assert "https://iam-psc.p.googleapis.com" == federation.iam_url


def test_who_may_write_the_file_says_where_tokens_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To any host at all, and over HTTPS alone: as docs/explanation/security.md has it."""
    elsewhere = {
        **DOCUMENT,
        "token_url": "https://elsewhere.example/v1/token",
        "service_account_impersonation_url": IMPERSONATION.replace(
            "iamcredentials.googleapis.com", "iam.elsewhere.example"
        ),
    }
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", written(tmp_path, elsewhere))
    federation, _ = configured()
    assert ("https://elsewhere.example/v1/token", "https://iam.elsewhere.example") == (
        federation.sts_url,
        federation.iam_url,
    )
    for name in ("token_url", "service_account_impersonation_url"):
        plain = {**elsewhere, name: elsewhere[name].replace("https:", "http:")}
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", written(tmp_path, plain))
        with pytest.raises(ConfigError) as caught:
            configured()
        assert "config/google-plain-http" == caught.value.error_id


@pytest.mark.parametrize(
    "document",
    [
        *("", "{", "[]", "[" * 100_000, {"type": "service_account", "private_key": "secret"}),
        {**DOCUMENT, "audience": "//iam.googleapis.com/locations/global/workforcePools/p"},
        {**DOCUMENT, "client_id": "x"},
        {**DOCUMENT, "service_account_impersonation_url": "https://evil.example/"},
        {
            **DOCUMENT,
            "service_account_impersonation_url": IMPERSONATION.replace(".com/", ".com/other/"),
        },
        {**DOCUMENT, "service_account_impersonation_url": 5},
    ],
)
def test_a_file_of_another_kind_is_refused_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, document: Any
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", written(tmp_path, document))
    with pytest.raises(ConfigError) as caught:
        configured()
    assert "config/google-file" == caught.value.error_id
    assert "secret" not in str(caught.value)


def test_with_nothing_configured_the_error_says_what_to_set() -> None:
    with pytest.raises(ConfigError) as caught:
        google.credentials()
    assert "config/google-none" == caught.value.error_id
    assert "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE" in str(caught.value)


def test_a_federation_takes_no_settings_of_its_own_beside_it() -> None:
    with pytest.raises(ConfigError) as caught:
        google.credentials(google.Federation(AUDIENCE), service_account=ACCOUNT)
    assert "config/google-setting" == caught.value.error_id


def test_an_id_token_needs_a_service_account() -> None:
    with pytest.raises(ConfigError) as caught:
        google.id_token_credentials("https://orders.example", AUDIENCE)
    assert "config/google-service-account" == caught.value.error_id
