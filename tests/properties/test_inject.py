"""Injection into random pods: they stay valid, and annotations cannot add anything else."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

pytest.importorskip("jsonpatch")
pytest.importorskip("kubernetes_validate")

from hypothesis import given
from hypothesis import strategies as st
from kubernetes_objects import VERSIONS, check, expanded, patched, pods

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.inject import PREFIX, Settings, inject

ROLE = "arn:aws:iam::123456789012:role/etl"
PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"
SETTINGS = st.builds(
    Settings,
    image=st.just("registry.example.com/gcp-aws-bridge:1"),
    native_sidecars=st.booleans(),
    region=st.sampled_from([None, "eu-west-1"]),
)
ACCOUNTS = st.fixed_dictionaries(
    {},
    optional={
        f"{PREFIX}/role-arn": st.just(ROLE),
        f"{PREFIX}/google-provider": st.just(PROVIDER),
        f"{PREFIX}/method": st.sampled_from(
            ["cluster-token", "google", "google-cloud", "google-serve"]
        ),
        f"{PREFIX}/skip-containers": st.sampled_from(["app-0", "init-1,app-2"]),
        "iam.gke.io/gcp-service-account": st.just("a@b.iam.gserviceaccount.com"),
    },
)
# What an attacker would write: ends of strings, of lines, and references.
METACHARACTERS = (
    *"\"'\\\n$`#{}&*!|>/%:é\u2028\x00",
    *("$(HOME)", "$$", "${A}", ": ", "- x", "..", "aws:1:etl"),
)
TEXT = st.lists(st.sampled_from(METACHARACTERS), min_size=1, max_size=6).map("".join)


def without(value: Any, names: set[str]) -> dict[str, Any]:
    """Return the containers that are named."""
    spec = value["spec"]
    every = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return {one["name"]: one for one in every if one["name"] in names}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("version", VERSIONS[1:])
@given(st.data(), ACCOUNTS, SETTINGS)
def test_a_valid_pod_stays_valid_and_keeps_what_its_author_set(
    version: str, data: st.DataObject, account: dict[str, str], settings: Settings
) -> None:
    pod = data.draw(pods(version))
    before = copy.deepcopy(pod)
    check(pod, version)
    done = inject(pod, account, settings)
    assert pod == before
    after = patched(pod, done.patch)
    check(after, version)
    assert inject(after, account, settings).patch == ()
    assert kept(before, after)
    skipped = {name.strip() for name in account.get(f"{PREFIX}/skip-containers", "").split(",")}
    assert without(before, skipped) == without(after, skipped)


def kept(before: Any, after: Any) -> bool:
    """Return whether *after* is *before* with additions: members, and items of lists."""
    if isinstance(before, dict):
        return all(key in after and kept(value, after[key]) for key, value in before.items())
    if isinstance(before, list) and before and isinstance(before[0], dict):
        rest = iter(after)
        return all(any(kept(item, other) for other in rest) for item in before)
    return bool(before == after or before in (None, [], {}))


@given(
    st.sampled_from(["audience", "region", "chain", "skip-containers", "role-arn"]),
    TEXT,
    st.booleans(),
    SETTINGS,
)
def test_text_of_an_annotation_for_aws_stays_one_value(
    name: str, text: str, linked: bool, settings: Settings
) -> None:
    account = {f"{PREFIX}/role-arn": ROLE, f"{PREFIX}/{name}": text}
    if linked:
        account["iam.gke.io/gcp-service-account"] = "a@b.iam.gserviceaccount.com"
    _stays_one_value(account, f"{PREFIX}/{name}", text, settings)


@given(st.sampled_from(["google-provider", "google-service-account"]), TEXT, SETTINGS)
def test_text_of_an_annotation_for_google_stays_one_value(
    name: str, text: str, settings: Settings
) -> None:
    for prefix in ("", PROVIDER, "a@b.iam.gserviceaccount.com"):
        account = {f"{PREFIX}/google-provider": PROVIDER, f"{PREFIX}/{name}": prefix + text}
        for method in ("google-cloud", "google-serve"):
            whole = account | {f"{PREFIX}/method": method}
            _stays_one_value(whole, f"{PREFIX}/{name}", prefix + text, settings)


def _stays_one_value(account: dict[str, str], key: str, text: str, settings: Settings) -> None:
    """Check that a value is rejected, or that it is whole wherever it is used."""
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
    try:
        done = inject(pod, account, settings)
    except ConfigError as error:
        assert error.error_id == "config/annotation"  # noqa: PT017 - not every text is rejected
        return
    if key == f"{PREFIX}/audience":
        expected = inject(pod, {**account, key: "aws:1:etl"}, settings).patch
        assert _as_the_pod_sees(done.patch) == _replaced(_as_the_pod_sees(expected), text)
    elif key == f"{PREFIX}/skip-containers":
        assert done.patch == inject(pod, {**account, key: ""}, settings).patch
    else:
        assert re.fullmatch(r"[\w/:.@-]*", text.strip(), re.ASCII)


def _as_the_pod_sees(value: Any, key: str = "") -> Any:
    """Return a patch with the variables and arguments that a kubelet expands."""
    if isinstance(value, dict):
        return {name: _as_the_pod_sees(one, name) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_the_pod_sees(one, key) for one in value]
    is_argument = key == "args" and isinstance(value, str)
    return expanded(value, {"HOME": "expanded", "A": "expanded"}) if is_argument else value


def _replaced(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(one, text) for name, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, text) for one in value]
    return value.replace("aws:1:etl", text) if isinstance(value, str) else value
