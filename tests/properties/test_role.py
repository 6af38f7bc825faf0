"""Any settings give a role that STS's service model accepts, or a ConfigError."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import fields
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters
from hypothesis import given
from hypothesis import strategies as st

from gcp_aws_bridge import ChainedRole, Role
from gcp_aws_bridge._settings import resolve
from gcp_aws_bridge.config.checks import ROLE_ARN
from gcp_aws_bridge.exceptions import ConfigError

ARN = "arn:aws:iam::123456789012:role/etl"
_OPERATION = (
    botocore.session.Session()
    .get_service_model("sts", api_version="2011-06-15")
    .operation_model("AssumeRoleWithWebIdentity")
)
_ARNS = st.from_regex(re.compile(ROLE_ARN, re.ASCII), fullmatch=True)
_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)
_FIELD_NAMES = st.sampled_from([one.name for one in fields(ChainedRole)]) | st.text()
_VARIABLES = ("ROLE_ARN", "AUDIENCE", "DURATION_SECONDS", "CHAIN", "ROLE_SESSION_NAME")
_VARIABLES += ("STS_REGIONS",)
_CHAINS = (st.lists(_JSON, max_size=3) | st.dictionaries(_FIELD_NAMES, _JSON)).map(json.dumps)


def made(**settings: Any) -> Role | ConfigError:
    try:
        return Role(**settings)
    except ConfigError as error:
        return error


def assert_sts_accepts(role: Role) -> None:
    """Raise if AWS's service model would reject the role, or one of the rules of the server."""
    parameters: dict[str, Any] = {
        "RoleArn": role.arn,
        "RoleSessionName": role.session_name,
        "WebIdentityToken": "t" * 4,
        "DurationSeconds": role.duration_seconds,
        "PolicyArns": [{"arn": arn} for arn in role.policy_arns],
    }
    if role.policy is not None:
        parameters["Policy"] = role.policy
        assert re.fullmatch(r"[\t\n\r\x20-\xff]{1,2048}", role.policy)
    validate_parameters(parameters, _OPERATION.input_shape)
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", role.session_name, re.ASCII)
    assert pickle.loads(pickle.dumps(role)) == role


@given(arn=_ARNS | st.text(), name=st.none() | st.text(), seconds=st.integers() | st.text())
def test_role_is_valid_for_sts_or_an_error(arn: str, name: str | None, seconds: Any) -> None:
    role = made(arn=arn, role_session_name=name, duration_seconds=seconds)
    if isinstance(role, ConfigError):
        assert role.fix
    else:
        assert_sts_accepts(role)
        assert role.arn == arn


@given(document=st.dictionaries(st.text(), _JSON), as_text=st.booleans())
def test_session_policy_keeps_its_meaning(document: dict[str, Any], as_text: bool) -> None:
    policy = json.dumps(document) if as_text else document
    role = made(arn=ARN, policy=policy)
    if isinstance(role, ConfigError):
        assert "characters long" in str(role)
    else:
        assert_sts_accepts(role)
        assert role.policy is not None
        assert json.loads(role.policy) == document


@given(host=st.text(max_size=300))
def test_any_host_name_gives_a_valid_session_name(host: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("socket.gethostname", lambda: host)
        assert_sts_accepts(Role(ARN))


@given(
    environ=st.dictionaries(
        st.sampled_from([f"GCP_AWS_BRIDGE_{name}" for name in _VARIABLES]),
        _ARNS | st.text() | st.integers().map(str) | _CHAINS,
    ),
    profile=st.dictionaries(
        st.sampled_from(["gcp_role_arn", "gcp_chain"]), _ARNS | st.text() | _CHAINS
    ),
    arn_argument=st.none() | _ARNS,
)
def test_settings_from_any_place_give_a_role_or_an_error(
    environ: dict[str, str], profile: dict[str, str], arn_argument: str | None
) -> None:
    try:
        role = resolve({"arn": arn_argument}, environ=environ, profile=profile)
    except ConfigError:
        return
    if role is None:
        assert arn_argument is None
        return
    assert_sts_accepts(role)
    if arn_argument is not None:
        assert role.arn == arn_argument  # arguments take precedence
