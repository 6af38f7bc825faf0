"""The public names, and what importing them costs."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge import exceptions, google

PACKAGE = Path(bridge.__file__).parent
PROMISED = [
    "AwsCredentials",
    "ChainedRole",
    "DefaultSource",
    "Event",
    "GoogleCredentials",
    "MetadataServer",
    "Role",
    "TokenFile",
    "TokenSource",
    "credentials",
    "exceptions",
    "install",
    "on_event",
    "register",
    "session",
    "signer",
    "uninstall",
]


def test_public_names_are_the_promised_ones() -> None:
    assert PROMISED == bridge.__all__
    assert sorted(bridge.__all__) == bridge.__all__


@pytest.mark.parametrize("name", PROMISED)
def test_every_name_can_be_imported_and_is_listed(name: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"from gcp_aws_bridge import {name}", namespace)
    assert namespace[name] is getattr(bridge, name)
    assert name in dir(bridge)


def test_lazily_loaded_names_are_listed() -> None:
    assert {*google.__all__} <= {*dir(google)}


def test_star_imports_exactly_the_public_names() -> None:
    namespace: dict[str, Any] = {}
    exec("from gcp_aws_bridge import *", namespace)
    assert sorted(namespace.keys() - {"__builtins__"}) == PROMISED


@pytest.mark.parametrize("name", ["Session", "_session_", "sessions", "__wrapped__"])
def test_other_name_is_an_attribute_error(name: str) -> None:
    assert not hasattr(bridge, name)
    with pytest.raises(AttributeError, match=rf"'gcp_aws_bridge' has no attribute '{name}'"):
        getattr(bridge, name)


@pytest.mark.parametrize("name", sorted({*PROMISED} - {"TokenSource"}))  # a Callable[[], str]
def test_every_name_is_documented(name: str) -> None:
    doc = inspect.getdoc(getattr(bridge, name)) or ""
    summary = doc.split("\n\n")[0]
    assert summary.endswith(".")
    assert not doc.startswith(name + "("), "the default text of dataclass"


FUNCTIONS = ["credentials", "install", "register", "session", "signer", "uninstall"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_of_a_function_is_documented(name: str) -> None:
    function = getattr(bridge, name)
    doc = inspect.getdoc(function) or ""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert f"{parameter.name}:" in doc or f"*{parameter.name}*" in doc


@pytest.mark.parametrize("name", ["ChainedRole", "GoogleCredentials", "MetadataServer", "Role"])
def test_every_setting_of_a_value_is_documented(name: str) -> None:
    kind = getattr(bridge, name)
    doc = inspect.getdoc(kind) or ""
    fields = [
        field
        for field in kind.__dataclass_fields__
        if field != "world" and not field.startswith("_")
    ]
    assert fields
    assert [] == [field for field in fields if f"{field}:" not in doc]


def test_signature_of_session() -> None:
    expected = {
        "role_arn": None,
        "audience": None,
        "role_session_name": None,
        "duration_seconds": None,
        "region_name": None,
        "chain": (),
        "policy": None,
        "policy_arns": (),
        "sts_regions": (),
        "token_source": None,
        "botocore_session": None,
    }
    parameters = inspect.signature(bridge.session).parameters
    assert expected == {name: parameter.default for name, parameter in parameters.items()}
    positional, *rest = parameters.values()
    assert inspect.Parameter.POSITIONAL_OR_KEYWORD is positional.kind
    assert {inspect.Parameter.KEYWORD_ONLY} == {parameter.kind for parameter in rest}


@pytest.mark.parametrize(
    "module", ["gcp_aws_bridge", "tokens", "exceptions", "config", "policy", "testing"]
)
def test_every_public_module_lists_its_names(module: str) -> None:
    name = module if module == "gcp_aws_bridge" else f"gcp_aws_bridge.{module}"
    found = importlib.import_module(name)
    assert sorted(found.__all__) == found.__all__
    assert len({*found.__all__}) == len(found.__all__)
    assert all(hasattr(found, name) for name in found.__all__)
    assert found.__doc__


@pytest.mark.parametrize("name", exceptions.__all__)
def test_every_error_is_documented(name: str) -> None:
    kind = getattr(bridge.exceptions, name)
    assert "gcp_aws_bridge.exceptions" == kind.__module__
    assert kind.__doc__
    assert kind.__doc__.split("\n")[0].endswith((".", ":"))


def test_types_are_shipped() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_version_is_defined_once() -> None:
    from gcp_aws_bridge import _version

    assert bridge.__version__ == _version.__version__
    assert 3 == len([int(part) for part in bridge.__version__.split(".")])


def test_repr_of_credentials_shows_no_secret() -> None:
    end = datetime(2026, 1, 1, 13, tzinfo=timezone.utc)
    value = bridge.AwsCredentials("ASIAEXAMPLE", "the-secret", "the-token", end, "123456789012")
    for shown in (repr(value), str(value), f"{value}", repr([value])):
        assert "ASIAEXAMPLE" in shown
        assert "2026-01-01T13:00:00+00:00" in shown
        assert "the-secret" not in shown
        assert "the-token" not in shown
    assert value == pickle.loads(pickle.dumps(value))
    with pytest.raises(AttributeError):
        value.session_token = "other"  # type: ignore[misc]


# -- what an import loads ----------------------------------------------------------------------

STEPS = """
import sys
loaded = {}
import gcp_aws_bridge as bridge
loaded["import"] = sorted(sys.modules)
bridge.Role("arn:aws:iam::123456789012:role/etl")
bridge.MetadataServer(), bridge.TokenFile("x"), bridge.DefaultSource(), bridge.GoogleCredentials()
bridge.TokenSource, bridge.exceptions, bridge.AwsCredentials
loaded["sources"] = sorted(sys.modules)
for name in bridge.__all__:
    getattr(bridge, name)
loaded["all"] = sorted(sys.modules)
import json
print(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """Return the modules that a fresh interpreter has loaded after each step."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}){STEPS}"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return {step: set(modules) for step, modules in json.loads(done.stdout).items()}


@pytest.mark.parametrize(
    ("step", "wanted", "unwanted"),
    [
        (
            "import",
            "gcp_aws_bridge",
            [
                "botocore",
                "gcp_aws_bridge.config",
                "json",
                "http",
                "dataclasses",
                "typing_extensions",
            ],
        ),
        (
            "sources",
            "gcp_aws_bridge._tokens.google_auth",
            ["botocore", "urllib3", "gcp_aws_bridge._sts.client"],
        ),
        ("all", "gcp_aws_bridge._botocore.session", ["boto3", "gcp_aws_bridge.cli"]),
    ],
)
def test_import_loads_only_what_it_needs(
    loaded: dict[str, set[str]], step: str, wanted: str, unwanted: list[str]
) -> None:
    never = ["aiobotocore", "cryptography", "google.auth", "google.oauth2", "requests", "moto"]
    never += ["gcp_aws_bridge.emulator", "hypothesis", "pytest"]
    assert wanted in loaded[step]
    assert [] == [name for name in (*unwanted, *never) if name in loaded[step]]
