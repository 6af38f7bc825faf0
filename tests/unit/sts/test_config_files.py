"""The AWS config and credentials files are read as the installed botocore reads them."""

from __future__ import annotations

from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import BotoCoreError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gcp_aws_bridge._sts import config_files

CONFIGS = [
    "",
    "[default]\nregion = eu-west-1\n",
    "[profile default]\nregion = a\n[default]\nregion = b\n",
    "[default]\nregion = b\n[profile default]\nregion = a\n",
    "[profile etl]\nGCP_Role_ARN=arn:aws:iam::1:role/Etl\n",
    "[profile  etl]\na: 1\n[profile\tother]\nb=2",
    '[profile "two words"]\na = 1\n',
    "[profile 'single']\na = \"1\"\n",
    "[profile e t l]\na = 1\n",
    "[profile]\na = 1\n",
    '[profile ""]\na = 1\n',
    '[profile "open]\na = 1\n',
    "[profile a#b]\na = 1\n",
    "[profile a\\ b]\na = 1\n",
    "[profile é]\na = 1\n",
    "[profiles etl]\na = 1\n[profilex]\nb = 1\n[ profile spaced ]\nc = 1\n",
    "[etl]\na = 1\n[DEFAULT]\nregion = x\n[profile etl]\nb = 2\n",
    "[sso-session a]\nb = 1\n[services s]\nsts =\n  endpoint_url = http://x\n",
    "[profile etl]\ns3 =\n  max = 1\n  # comment = 2\n\n  min=2=3\nregion = x\n",
    "[profile etl]\na = 1 # no comment\nb = 2 ; no comment\n; comment\n# comment\n",
    "[profile etl]\na = one\n  two\n\n  three\n",
    "[profile etl]\na = %(b)s\nb = $HOME\n",
    "[profile etl]\na =\nb\t=\t\n",
    "[profile etl]\r\na = 1\r\n",
    "\ufeff[profile etl]\na = 1\n",
    "[profile etl]\na = 1\na = 2\n",
    "[profile etl]\n[profile etl]\n",
    "[profile etl]\nalone\n",
    "a = 1\n",
    "[profile etl]\ns3 =\n  alone\n",
    "[profile etl\na = 1\n",
]


def of_botocore(config: str, credentials: str) -> object:
    """Return botocore's profiles, or None for its error."""
    session = botocore.session.Session()
    session.set_config_variable("config_file", config)
    session.set_config_variable("credentials_file", credentials)
    try:
        return session.full_config["profiles"]
    except BotoCoreError:
        return None


def compare(folder: Path, config: str | bytes | None, credentials: str | bytes | None) -> None:
    paths = folder / "config", folder / "credentials"
    for path, content in zip(paths, (config, credentials), strict=True):
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    expected = of_botocore(*map(str, paths))
    try:
        found: object = config_files.profiles(*map(str, paths))
    except config_files.UnreadableFile:
        found = None
    if isinstance(expected, dict):
        expected.pop("", None)  # a profile without a name, which no command line can choose
    assert expected == found


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_config_file_is_read_like_botocore_does(tmp_path: Path, config: str) -> None:
    compare(tmp_path, config, None)


@pytest.mark.parametrize("credentials", [*CONFIGS, "[etl]\na = 9\n[default]\nregion = z\n"])
def test_credentials_file_is_read_like_botocore_does(tmp_path: Path, credentials: str) -> None:
    compare(tmp_path, "[profile etl]\na = 1\nb = 2\n[default]\nregion = x\n", credentials)


def test_file_in_another_encoding_is_an_error_or_the_same_text(tmp_path: Path) -> None:
    compare(tmp_path, b"[profile etl]\na = \xff\n", None)


def test_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    compare(tmp_path, None, None)


PIECES = st.sampled_from(
    [
        *("[default]", "[profile a]", "[profile 'a b']", "[a]", "[DEFAULT]", "[services x]"),
        *("a = 1", "A=2", "b:", "s3 =", "  c = 3", "  d", "# x", ";y", "", "=", "[", "\ta = 4"),
    ]
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(PIECES, max_size=9), st.lists(PIECES, max_size=5))
def test_any_file_is_read_like_botocore_does(
    tmp_path: Path, config: list[str], credentials: list[str]
) -> None:
    compare(tmp_path, "\n".join(config), "\n".join(credentials))
