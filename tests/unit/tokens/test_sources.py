"""Token sources as values, the file, the default source, and who asks for which audience."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import os
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fakes import ManualWorld
from unit.servers import AUDIENCE, Server, answer, failure, id_token

from gcp_aws_bridge import tokens
from gcp_aws_bridge._cache.clock import REAL
from gcp_aws_bridge._tokens import google_auth
from gcp_aws_bridge._tokens.default import for_audience
from gcp_aws_bridge.exceptions import ConfigError, TokenError, TokenUnavailable
from gcp_aws_bridge.tokens import DefaultSource, GoogleCredentials, MetadataServer, TokenFile

TOKEN = id_token()


# -- sources are values ------------------------------------------------------------------------

SOURCES = [
    (
        MetadataServer,
        {},
        "MetadataServer(audience=None, service_account='default', deadline_s=None)",
    ),
    (
        MetadataServer,
        {"audience": "a", "service_account": "sa@p", "deadline_s": 5.0},
        "MetadataServer(audience='a', service_account='sa@p', deadline_s=5.0)",
    ),
    (TokenFile, {"path": "/var/run/token"}, "TokenFile(path='/var/run/token')"),
    (
        TokenFile,
        {"path": Path("/var/run/token")},
        f"TokenFile(path={str(Path('/var/run/token'))!r})",
    ),
    (GoogleCredentials, {}, "GoogleCredentials(key_file=None, impersonate=None, audience=None)"),
    (
        GoogleCredentials,
        {"credentials": "secret", "key_file": "k.json", "impersonate": "sa@p", "audience": "a"},
        (
            "GoogleCredentials(credentials=<builtins.str 0x0>, key_file='k.json', "
            "impersonate='sa@p', audience='a')"
        ),
    ),
    (DefaultSource, {}, "DefaultSource(audience=None)"),
    (DefaultSource, {"audience": "a"}, "DefaultSource(audience='a')"),
]


def shown_as(source: Any) -> str:
    """`repr`, with the number of each object as 0x0."""
    return re.sub(r"[0-9a-f]{8}-0x[0-9a-f]+", "0x0", repr(source))


@pytest.mark.parametrize(("kind", "settings", "shown"), SOURCES)
def test_equal_settings_are_one_source(kind: Any, settings: dict[str, Any], shown: str) -> None:
    one, other = kind(**settings), kind(**settings)
    assert one == other
    assert hash(one) == hash(other)
    assert shown == shown_as(one)
    assert repr(one) == repr(other) == str(one)


@pytest.mark.parametrize(
    "carry", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy, copy.copy]
)
@pytest.mark.parametrize(("kind", "settings", "shown"), SOURCES)
def test_a_source_arrives_in_another_process(
    kind: Any, settings: dict[str, Any], shown: str, carry: Any
) -> None:
    source = kind(**settings)
    if "credentials" in settings and carry not in (copy.copy, copy.deepcopy):
        with pytest.raises(ConfigError, match="secret"):
            pickle.dumps(source)
        return
    arrived = carry(source)
    assert (source, hash(source), shown) == (arrived, hash(arrived), shown_as(arrived))
    assert REAL == getattr(arrived, "world", REAL)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (MetadataServer, {"audience": "b"}),
        (MetadataServer, {"service_account": "other"}),
        (MetadataServer, {"deadline_s": 1}),
        (TokenFile, {"path": "/other"}),
        (GoogleCredentials, {"credentials": object()}),
        (GoogleCredentials, {"key_file": "other"}),
        (GoogleCredentials, {"impersonate": "other"}),
        (GoogleCredentials, {"audience": "b"}),
        (DefaultSource, {"audience": "b"}),
    ],
)
def test_any_other_setting_is_another_source(kind: Any, settings: dict[str, Any]) -> None:
    base = {"path": "/token"} if kind is TokenFile else {}
    assert kind(**base) != kind(**{**base, **settings})


@pytest.mark.parametrize("kind", [MetadataServer, DefaultSource])
def test_clock_is_not_a_setting(kind: Any) -> None:
    assert kind() == kind(world=ManualWorld().world)
    assert hash(kind()) == hash(kind(world=ManualWorld().world))


@pytest.mark.parametrize(("kind", "settings", "shown"), SOURCES)
def test_a_source_cannot_be_changed(kind: Any, settings: dict[str, Any], shown: str) -> None:
    source = kind(**settings)
    name = dataclasses.fields(source)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(source, name, "x")
    assert shown == shown_as(source)


def test_a_path_and_its_text_are_one_source() -> None:
    assert TokenFile("/var/run/token") == TokenFile(Path("/var/run/token"))


# -- TokenFile ---------------------------------------------------------------------------------


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A path to a file that is not there yet."""
    monkeypatch.chdir(tmp_path)
    return Path("token")


@contextlib.contextmanager
def another_user() -> Iterator[None]:
    """As a process without root's powers, which may be this one already."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


needs_users = pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs POSIX users")


@pytest.mark.parametrize("spell", [str, Path, os.fsencode], ids=["text", "Path", "bytes"])
@pytest.mark.parametrize("around", ["{}", "{}\n", "\r\n {}\r\n"])
def test_a_file_holds_a_token(file: Path, spell: Any, around: str) -> None:
    file.write_text(around.format(TOKEN), newline="")
    assert TOKEN == TokenFile(spell(file))()


def test_file_is_read_in_each_call(file: Path) -> None:
    source = TokenFile(file)
    failure(TokenUnavailable, "token/file-missing", source, seen=['"token"'])
    file.write_text("first")
    assert "first" == source()
    # The kubelet replaces a link, not the text in the file.
    Path("next").write_text("second")
    os.replace("next", file)
    assert "second" == source()
    file.unlink()
    failure(TokenUnavailable, "token/file-missing", source, seen=['"token"'])


def test_a_dangling_link_is_a_missing_file(file: Path) -> None:
    file.symlink_to("..data")
    error = failure(TokenUnavailable, "token/file-missing", TokenFile(file), seen=['"token"'])
    assert "serviceAccountToken" in error.fix


def test_a_directory_is_no_file(file: Path) -> None:
    file.mkdir()
    failure(
        TokenError, "token/file-unreadable", TokenFile(file), seen=['"token"', "Is a directory"]
    )


def test_a_path_through_a_file_is_none(file: Path) -> None:
    file.write_text("x")
    failure(
        TokenError,
        "token/file-unreadable",
        TokenFile(file / "x"),
        seen=['"token/x"', "Not a directory"],
    )


@needs_users
def test_unreadable_file_raises(file: Path) -> None:
    file.write_text(TOKEN)
    file.chmod(0)
    with another_user():
        error = failure(
            TokenError,
            "token/file-unreadable",
            TokenFile(file),
            seen=['"token"', "Permission denied"],
            secrets=TOKEN.split("."),
        )
    assert "fsGroup" in error.fix


@pytest.mark.parametrize(
    "content",
    [TOKEN.encode("utf-16"), b"\x80\x81", "jetón".encode()],
    ids=["utf-16", "binary", "utf-8"],
)
def test_a_file_that_is_no_ascii(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    failure(
        TokenError,
        "token/file-unreadable",
        TokenFile(file),
        seen=['"token"', "not ASCII"],
        secrets=TOKEN.split("."),
    )


def test_a_mark_of_its_encoding_is_no_part_of_the_token(file: Path) -> None:
    file.write_text(f"{TOKEN}\r\n", encoding="utf-8-sig", newline="")
    assert TOKEN == TokenFile(file)()


def test_no_more_than_64_kilobytes_are_read(file: Path) -> None:
    with file.open("wb") as sparse:
        sparse.write(b"x")
        sparse.truncate(2**40)  # read whole, it would not fit into memory
    assert 65_536 == len(TokenFile(file)())


def test_token_instead_of_a_path_is_not_shown(file: Path) -> None:
    token = TOKEN[:200]
    failure(
        TokenUnavailable,
        "token/file-missing",
        TokenFile(file.with_name(token)),
        seen=["[redacted]"],
        secrets=[token],
    )


@pytest.mark.parametrize("kind", [TokenFile, lambda path: GoogleCredentials(key_file=path)])
def test_a_long_path_is_named(kind: Any) -> None:
    path = "/srv/team-data/environments/production" * 3 + "/google/token"
    with pytest.raises(TokenError) as caught:
        kind(path)()
    assert path in str(caught.value)


@pytest.mark.parametrize("path", [None, 1.5, ["token"]], ids=str)
def test_a_path_that_is_none(path: Any) -> None:
    with pytest.raises((ConfigError, TokenError)) as caught:
        TokenFile(path)()
    assert str(path) in str(caught.value)


def test_a_path_with_a_null_byte() -> None:
    error = failure(TokenError, "token/file-unreadable", TokenFile("to\0ken"), seen=["to?ken"])
    assert "ASCII" not in str(error)


# -- for_audience ------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [MetadataServer(), GoogleCredentials(key_file="k")])
@pytest.mark.parametrize("own", [None, "wanted"])
def test_a_source_of_ours_is_given_the_roles_audience(source: Any, own: str | None) -> None:
    asked = dataclasses.replace(source, audience=own)
    assert dataclasses.replace(source, audience="wanted") == for_audience(asked, "wanted")
    assert own == asked.audience


def test_no_source_is_the_default_one() -> None:
    world = ManualWorld().world
    found = for_audience(None, "wanted", world)
    assert DefaultSource("wanted") == found
    assert isinstance(found, DefaultSource)
    assert found.world is world


def test_a_default_source_of_the_users_keeps_its_world() -> None:
    world = ManualWorld().world
    found = for_audience(DefaultSource(world=world), "wanted")
    assert isinstance(found, DefaultSource)
    assert ("wanted", world) == (found.audience, found.world)


@pytest.mark.parametrize(
    "source",
    [MetadataServer("other"), GoogleCredentials(audience="other"), DefaultSource("other")],
    ids=lambda source: type(source).__name__,
)
def test_a_source_for_another_audience_than_the_roles(source: Any) -> None:
    failure(
        ConfigError,
        "config/audience",
        lambda: for_audience(source, "wanted"),
        seen=['"other"', '"wanted"'],
    )


@dataclass(frozen=True)
class Own:
    """A user's source, made as ours are."""

    audience: str | None = None

    def __call__(self) -> str:
        return f"for {self.audience}"


def test_a_users_dataclass_is_given_the_roles_audience_too() -> None:
    assert "for wanted" == for_audience(Own(), "wanted")()


class Plain:
    audience = "whatever it means there"

    def __call__(self) -> str:
        return "token"


@dataclass
class Other:
    path: str = ""

    def __call__(self) -> str:
        return "token"


@pytest.mark.parametrize(
    "source", [lambda: "token", Plain(), Other(), TokenFile("/token"), print, Own, Plain().__call__]
)
def test_any_other_callable_is_taken_as_it_is(source: Any) -> None:
    assert source is for_audience(source, "wanted")


@pytest.mark.parametrize("source", ["token", 5, b"", {"audience": "x"}, TOKEN], ids=str)
def test_what_cannot_be_called_is_no_source(source: Any) -> None:
    failure(
        ConfigError,
        "config/token-source",
        lambda: for_audience(source, "wanted"),
        seen=[type(source).__name__],
        secrets=TOKEN.split("."),
    )


@dataclass(frozen=True)
class Reads:
    @property
    def audience(self) -> None:
        return None

    def __call__(self) -> str:
        return "token"


@dataclass(frozen=True)
class Shares:
    audience: ClassVar[None] = None

    def __call__(self) -> str:
        return "token"


@pytest.mark.parametrize("source", [Reads(), Shares()], ids=["property", "class variable"])
def test_an_audience_that_is_no_field_is_left_alone(source: Any) -> None:
    assert source is for_audience(source, "wanted")


# -- DefaultSource -----------------------------------------------------------------------------

LOGIN = "{} gives no ID token (a user's login never does)."
IMPERSONATE = 'impersonate: GoogleCredentials(impersonate="x@y").'


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A metadata server that gives `TOKEN`."""
    with Server(answer(TOKEN)) as server:
        monkeypatch.setenv("GCE_METADATA_HOST", server.host)
        yield server


@pytest.fixture
def no_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> list[GoogleCredentials]:
    """google-auth as it answers a user's own login; who asked is recorded."""
    asked: list[GoogleCredentials] = []

    def call(self: GoogleCredentials) -> str:
        asked.append(self)
        raise TokenUnavailable(
            LOGIN.format("google"), fix=IMPERSONATE, error_id="token/google-kind"
        )

    monkeypatch.setattr(google_auth.GoogleCredentials, "__call__", call)
    return asked


def gcloud_file(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "application_default_credentials.json"
    file.write_text("{}")
    return file


@pytest.fixture
def source(home: Path) -> DefaultSource:
    return DefaultSource(AUDIENCE, world=ManualWorld(jitter=1.0).world)


def test_a_pod_asks_the_metadata_server_alone(
    source: DefaultSource, metadata: Server, google: list[GoogleCredentials]
) -> None:
    assert TOKEN == source()
    assert (1, []) == (len(metadata.requests), google)


def test_the_audience_reaches_every_source(
    monkeypatch: pytest.MonkeyPatch,
    metadata: Server,
    google: list[GoogleCredentials],
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/login.json")
    source = DefaultSource("mine", world=ManualWorld().world)
    failure(TokenError, "token/audience", source, seen=['"mine" was asked for'])
    assert "audience=mine&" in metadata.requests[0].path
    assert [GoogleCredentials(audience="mine")] == google


def test_the_variable_comes_before_the_metadata_server(
    monkeypatch: pytest.MonkeyPatch, source: DefaultSource, metadata: Server
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/key.json")
    monkeypatch.setattr(google_auth.GoogleCredentials, "__call__", lambda self: "from the file")
    assert "from the file" == source()
    assert 0 == len(metadata.requests)


def test_the_metadata_server_comes_before_gclouds_file(
    source: DefaultSource, home: Path, metadata: Server, google: list[GoogleCredentials]
) -> None:
    gcloud_file(home / ".config/gcloud")
    assert TOKEN == source()
    assert [] == google


def test_what_the_variable_names_and_is_no_source_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
    source: DefaultSource,
    metadata: Server,
    google: list[GoogleCredentials],
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/login.json")
    assert TOKEN == source()
    assert (1, 1) == (len(google), len(metadata.requests))


def test_a_blank_variable_is_not_set(
    monkeypatch: pytest.MonkeyPatch,
    source: DefaultSource,
    metadata: Server,
    google: list[GoogleCredentials],
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    assert TOKEN == source()
    assert [] == google


@pytest.mark.parametrize("where", ["home", "CLOUDSDK_CONFIG"])
@pytest.mark.usefixtures("no_metadata")
def test_gclouds_file_comes_last(
    monkeypatch: pytest.MonkeyPatch, source: DefaultSource, home: Path, tmp_path: Path, where: str
) -> None:
    monkeypatch.setattr(google_auth.GoogleCredentials, "__call__", lambda self: "from gcloud")
    if where == "home":
        gcloud_file(home / ".config/gcloud")
    else:
        monkeypatch.setenv(where, str(tmp_path / "sdk"))
        gcloud_file(tmp_path / "sdk")
    assert "from gcloud" == source()


@pytest.mark.usefixtures("no_metadata")
def test_gclouds_folder_in_the_variable_replaces_the_one_at_home(
    monkeypatch: pytest.MonkeyPatch,
    source: DefaultSource,
    home: Path,
    tmp_path: Path,
    google: list[GoogleCredentials],
) -> None:
    gcloud_file(home / ".config/gcloud")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "empty"))
    failure(TokenUnavailable, "token/none", source, seen=["Tried metadata server"])
    assert [] == google


NOT_HERE = "The metadata server at 127.0.0.1:1 was asked "


@pytest.mark.parametrize(
    ("variable", "file", "listed"),
    [
        (False, False, ["metadata server: " + NOT_HERE]),
        (
            False,
            True,
            [
                "metadata server: " + NOT_HERE,
                "gcloud application-default credentials: " + LOGIN.format("google"),
            ],
        ),
        (
            True,
            True,
            [
                "GOOGLE_APPLICATION_CREDENTIALS: " + LOGIN.format("google"),
                "metadata server: " + NOT_HERE,
            ],
        ),
    ],
    ids=["nothing", "gcloud's file", "variable"],
)
@pytest.mark.usefixtures("no_metadata", "google")
def test_where_there_is_none_each_says_why_not_in_the_order_they_were_asked(
    monkeypatch: pytest.MonkeyPatch,
    source: DefaultSource,
    home: Path,
    variable: bool,
    file: bool,
    listed: list[str],
) -> None:
    if variable:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/login.json")
    if file:
        gcloud_file(home / ".config/gcloud")
    error = failure(
        TokenUnavailable, "token/none", source, seen=["No Google identity on this machine", *listed]
    )
    text = error.details
    assert len(listed) == text.count("Tried ")
    assert sorted(map(text.index, listed)) == [*map(text.index, listed)]
    assert "GoogleCredentials(impersonate=" in error.fix


def test_denial_ends_the_search(
    monkeypatch: pytest.MonkeyPatch,
    source: DefaultSource,
    home: Path,
    google: list[GoogleCredentials],
) -> None:
    gcloud_file(home / ".config/gcloud")
    with Server(answer("Not Found", 404)) as server:
        monkeypatch.setenv("GCE_METADATA_HOST", server.host)
        failure(TokenError, "token/no-service-account", source, seen=["404"])
    assert [] == google


def test_a_broken_file_in_the_variable_ends_the_search(
    monkeypatch: pytest.MonkeyPatch, source: DefaultSource, metadata: Server
) -> None:
    def call(self: GoogleCredentials) -> str:
        raise TokenError("Broken.", fix="correct it.", error_id="token/key-file")

    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/key.json")
    monkeypatch.setattr(google_auth.GoogleCredentials, "__call__", call)
    failure(TokenError, "token/key-file", source, seen=["Broken."])
    assert 0 == len(metadata.requests)


def test_the_log_says_which_source_it_was_and_no_token(
    monkeypatch: pytest.MonkeyPatch,
    source: DefaultSource,
    caplog: pytest.LogCaptureFixture,
    metadata: Server,
    google: list[GoogleCredentials],
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/login.json")
    with caplog.at_level(logging.DEBUG, "gcp_aws_bridge"):
        source()
    assert [
        ("gcp_aws_bridge", logging.DEBUG, text)
        for text in (
            "no ID token from GOOGLE_APPLICATION_CREDENTIALS: " + LOGIN.format("google"),
            "ID token from metadata server",
        )
    ] == caplog.record_tuples
    assert TOKEN not in caplog.text


@needs_users
def test_a_home_that_cannot_be_read_is_no_reason_not_to_ask_the_metadata_server(
    monkeypatch: pytest.MonkeyPatch, source: DefaultSource, metadata: Server, tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    gcloud_file(locked / ".config/gcloud")
    monkeypatch.setenv("HOME", str(locked))
    locked.chmod(0)
    try:
        with another_user():
            assert TOKEN == source()
    finally:
        locked.chmod(0o700)


def test_no_home_at_all_is_no_reason_not_to_ask_the_metadata_server(
    monkeypatch: pytest.MonkeyPatch, source: DefaultSource, metadata: Server
) -> None:
    import pwd

    def unknown(_: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert TOKEN == source()


def test_the_module_exports_the_sources() -> None:
    assert sorted(tokens.__all__) == tokens.__all__
    assert {"DefaultSource", "GoogleCredentials", "MetadataServer", "TokenFile", "TokenSource"} == {
        name for name in vars(tokens) if not name.startswith("_")
    }
