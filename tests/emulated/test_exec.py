"""`exec`, `serve` and `token` as whole processes: settings, output, and how they end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.utils
import pytest
import requests.utils
from fakes import eventually

from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge.cli import _child, main
from gcp_aws_bridge.emulator import Emulator, Fault

ROLE = "arn:aws:iam::123456789012:role/etl"
OTHER = "arn:aws:iam::123456789012:role/other"
posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

pytestmark = pytest.mark.usefixtures("home", "pod")

WHO = (
    "import boto3; s = boto3.Session(region_name='us-east-1')\n"
    "print(s.get_credentials().method, s.client('sts').get_caller_identity()['Arn'])"
)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gcp_aws_bridge", *arguments]


def executed(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("exec", "--role-arn", ROLE, *arguments),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environ},
    )


@contextmanager
def started(*arguments: str, **pipes: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a command of ours until the end of the block."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes}
    process = subprocess.Popen(command(*arguments), text=True, **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# -- exec --------------------------------------------------------------------------------------


def test_program_without_this_library_has_the_role(pod: Emulator) -> None:
    done = executed("--", sys.executable, "-c", WHO)
    assert (0, "") == (done.returncode, done.stderr)
    method, arn = done.stdout.split()
    assert ("container-role", True) == (method, "assumed-role/etl" in arn)


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    "environ",
    [
        {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "y"},
        {"AWS_PROFILE": "other"},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": OTHER},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"},
        {"AWS_CREDENTIAL_FILE": "/nowhere"},
    ],
    ids=lambda environ: next(iter(environ)),
)
def test_variables_that_take_precedence_are_removed(environ: dict[str, str]) -> None:
    if "AWS_PROFILE" in environ:
        environ = {**environ, "AWS_CONFIG_FILE": config("[profile other]\nregion=us-east-1\n")}
    done = executed("--", sys.executable, "-c", WHO, **environ)
    assert done.stdout.startswith("container-role"), done.stderr


def config(text: str) -> str:
    file = Path(os.environ["HOME"]) / "config"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_endpoint_is_reached_without_a_proxy() -> None:
    """A proxy would receive the authorization token."""
    program = "import os; print(os.environ['NO_PROXY'], os.environ['no_proxy'])"
    environ = {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "a.example"}
    done = executed("--", sys.executable, "-c", program, **environ)
    assert "a.example,127.0.0.1 a.example,127.0.0.1\n" == done.stdout
    assert "127.0.0.1 127.0.0.1\n" == executed("--", sys.executable, "-c", program).stdout


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({"NO_PROXY": "*"}, ("*", "*")),
        ({"no_proxy": "*"}, ("*", "*")),
        ({"NO_PROXY": " *"}, (" *", " *")),
        ({"NO_PROXY": "*", "no_proxy": "a.example"}, ("*", "a.example,127.0.0.1")),
        ({"NO_PROXY": "a.example", "no_proxy": "*"}, ("a.example,127.0.0.1", "*")),
        ({"NO_PROXY": "*.example"}, ("*.example,127.0.0.1",) * 2),
        ({"NO_PROXY": "*,a.example"}, ("*,a.example,127.0.0.1",) * 2),
        ({"NO_PROXY": ""}, ("127.0.0.1", "127.0.0.1")),
    ],
    ids=repr,
)
def test_no_proxy_for_all_hosts_is_kept(environ: dict[str, str], wanted: tuple[str, str]) -> None:
    """Only a value that is "*" covers all hosts: with a host after it, none would be excluded."""
    kept = _child.without(environ, (), "http://127.0.0.1:9911")
    assert wanted == (kept["NO_PROXY"], kept["no_proxy"])


@pytest.mark.parametrize("before", ["", "a.example"])
def test_ipv6_loopback_is_excluded_in_the_form_of_each_library(before: str) -> None:
    url = "http://[::1]:9911/credentials"
    kept = _child.without({"NO_PROXY": before}, (), url)
    assert f"{before},::1,[::1]".lstrip(",") == kept["NO_PROXY"] == kept["no_proxy"]
    assert urllib.request.proxy_bypass_environment("[::1]:9911", {"no": kept["no_proxy"]})
    assert botocore.utils.should_bypass_proxies(url) is False
    with pytest.MonkeyPatch.context() as patch:
        for name, value in kept.items():
            patch.setenv(name, value)
        assert botocore.utils.should_bypass_proxies(url)
        assert requests.utils.should_bypass_proxies(url, None)


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_program_without_a_proxy_still_uses_none(name: str) -> None:
    program = (
        "from requests.utils import get_environ_proxies as r; "
        "from botocore.utils import get_environ_proxies as b; "
        "print(r('https://storage.googleapis.com/'), b('https://sts.amazonaws.com/'))"
    )
    environ = {"HTTPS_PROXY": "http://127.0.0.1:9", name: "*"}
    assert "{} {}\n" == executed("--", sys.executable, "-c", program, **environ).stdout


def test_keys_in_the_credentials_file_do_not_take_precedence() -> None:
    folder = Path(os.environ["HOME"]) / ".aws"
    folder.mkdir()
    keys = "[default]\naws_access_key_id = AKIA\naws_secret_access_key = x\n"
    (folder / "credentials").write_text(keys, encoding="utf-8")
    done = executed("--", sys.executable, "-c", WHO)
    assert done.stdout.startswith("container-role"), done.stderr


@pytest.mark.parametrize("key", ["aws_access_key_id", "credential_process", "sso_session"])
def test_warning_for_a_default_profile_with_credentials(key: str) -> None:
    done = executed("--", "true", AWS_CONFIG_FILE=config(f"[default]\n{key} = x\n"))
    assert (1, "") == (done.returncode, done.stdout)
    assert key in done.stderr
    assert "[config/default-profile]" in done.stderr


@pytest.mark.parametrize("where", ["BOTO_CONFIG", "~/.boto"])
def test_warning_for_a_boto_file_with_keys(home: Path, where: str) -> None:
    file = home / ".boto"
    file.write_text("[Credentials]\naws_access_key_id = AKIA\naws_secret_access_key = hush\n")
    environ = {}
    if where == "BOTO_CONFIG":
        environ = {where: str(file.rename(home / "another"))}
    done = executed("--", sys.executable, "-c", WHO, **environ)
    assert (1, "") == (done.returncode, done.stdout)
    assert "aws_access_key_id" in done.stderr
    assert "[config/boto-config]" in done.stderr
    assert "hush" not in done.stderr
    fixed = executed("--", sys.executable, "-c", WHO, BOTO_CONFIG=os.devnull)
    assert fixed.stdout.startswith("container-role"), fixed.stderr


def test_boto_file_of_gsutil_causes_no_warning(home: Path) -> None:
    (home / ".boto").write_text("[Credentials]\ngs_oauth2_refresh_token = x\n[GSUtil]\n")
    done = executed("--", sys.executable, "-c", WHO)
    assert done.stdout.startswith("container-role"), done.stderr


@pytest.mark.sampled(4)
@posix
@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill $$", 143)]
)
def test_exit_status_is_that_of_the_command(script: str, status: int) -> None:
    assert status == executed("--", "sh", "-c", script).returncode


@posix
def test_command_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program", encoding="utf-8")
    statuses = [executed("--", name).returncode for name in ("nowhere", str(tmp_path / "text"))]
    assert [127, 126] == statuses


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["exec", "--role-arn", ROLE, "--"])
    assert "exec -- COMMAND" in capsys.readouterr().err


def test_options_after_the_separator_belong_to_the_command() -> None:
    program = "import sys; print(sys.argv[1:])"
    words = ["--role-arn", "x", "--", "-h", "--profile=y"]
    done = executed("--", sys.executable, "-c", program, *words)
    assert f"{words}\n" == done.stdout


@pytest.mark.sampled(4)
@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_signals_are_forwarded(name: str) -> None:
    number = getattr(signal, name)
    program = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(42))\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    with started(
        "exec", "--role-arn", ROLE, "--", sys.executable, "-c", program, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
        process.send_signal(number)
        assert 42 == process.wait(20)


def new_process_tree() -> list[str]:
    """Return the command that starts the first process of a tree; empty where it is not allowed."""
    command = ["unshare", "--fork", "--pid", "--mount-proc"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return command


def test_first_process_of_a_container_reaps_orphans() -> None:
    first = new_process_tree()
    if not first:
        pytest.skip("no separate process tree here: unshare is missing, or not allowed")
    script = (
        "import os, subprocess, sys, time\n"
        "subprocess.run(['sh', '-c', 'sleep 0.05 & sleep 0.05 &'])\n"  # orphans
        "def dead():\n"
        "    stats = [open(f'/proc/{p}/stat').read() for p in os.listdir('/proc') if p.isdigit()]\n"
        "    return [s for s in stats if ') Z ' in s]\n"
        "time.sleep(0.3)\n"
        "print(os.getppid(), len(dead()))\n"
        "sys.exit(7)"
    )
    ran = subprocess.run(
        [*first, *command("exec", "--role-arn", ROLE, "--", sys.executable, "-c", script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ("1 0\n", 7) == (ran.stdout, ran.returncode), ran.stderr


def test_command_runs_although_the_role_is_denied(pod: Emulator) -> None:
    pod.remove_role(ROLE)
    program = "import boto3; print(1); boto3.Session().get_credentials().access_key"
    done = executed("--", sys.executable, "-c", program)
    assert "1\n" == done.stdout
    assert "[exchange/denied]" in done.stderr


ASK = """
import os, sys, urllib.error, urllib.request
token = {"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}
url = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for _ in sys.stdin:
    try:
        status = direct.open(urllib.request.Request(url, headers=token)).status
    except urllib.error.HTTPError as error:
        status = error.code
    print(status, flush=True)
"""


def test_error_that_an_sdk_hides_is_logged_once_and_so_is_its_end(
    pod: Emulator, tmp_path: Path
) -> None:
    pod.remove_role(ROLE)
    program = ["exec", "--role-arn", ROLE, "--", sys.executable, "-c", ASK]
    log = tmp_path / "log"
    with (
        log.open("w", encoding="utf-8") as stderr,
        started(*program, stdin=subprocess.PIPE, stderr=stderr) as process,
    ):
        reads, writes = process.stdout, process.stdin
        assert reads is not None
        assert writes is not None

        def status() -> int:
            print(file=writes, flush=True)
            return int(reads.readline())

        assert [400, 400] == [status(), status()]
        pod.add_role(ROLE)
        eventually(lambda: status() == 200)
        eventually(lambda: " recovered; " in log.read_text(encoding="utf-8"))
        process.communicate(timeout=20)
    assert 0 == process.returncode
    refused, over = log.read_text(encoding="utf-8").splitlines()
    assert refused.startswith(f"gcp-aws-bridge: {ROLE}: no fresh credentials: Assuming {ROLE}")
    assert "Fix: " in refused
    assert refused.endswith("[exchange/denied]")
    assert over.startswith(f"gcp-aws-bridge: {ROLE}: recovered; valid for ")


@posix
@pytest.mark.parametrize("asker", ["goes with it", "stays"])
def test_exec_ends_with_its_command_while_sts_does_not_answer(pod: Emulator, asker: str) -> None:
    pod.sts.inject(Fault.hang(30), times=None)
    program = (
        "import os, socket, subprocess, sys\n"
        "url, token = (os.environ['AWS_CONTAINER_' + name] for name in"
        " ('CREDENTIALS_FULL_URI', 'AUTHORIZATION_TOKEN'))\n"
        "def ask(path):\n"
        "    port = int(url.split(':')[2].split('/')[0])\n"
        "    connection = socket.create_connection(('127.0.0.1', port))\n"
        "    lines = f'GET {path} HTTP/1.1', 'Host: localhost', f'Authorization: {token}'\n"
        "    connection.sendall('\\r\\n'.join([*lines, '', '']).encode())\n"
        "    return connection\n"
        "waiting = ask('/credentials')\n"
        "ask('/nowhere').recv(1)\n"  # the request before it is being answered now
        "if sys.argv[1] == 'stays':\n"
        "    quiet = dict.fromkeys(('stdin', 'stdout', 'stderr'), subprocess.DEVNULL)\n"
        "    end = 'import socket, sys; socket.socket(fileno=int(sys.argv[1])).recv(1)'\n"
        "    number = waiting.fileno()\n"
        "    stays = [sys.executable, '-c', end, str(number)]\n"
        "    subprocess.Popen(stays, pass_fds=[number], **quiet)\n"
        "os._exit(7)"
    )
    done = executed("--", sys.executable, "-c", program, asker)
    assert (7, "", "") == (done.returncode, done.stdout, done.stderr)


@posix
def test_no_file_is_left_behind() -> None:
    program = "import os; print(os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'])"
    done = executed("--", sys.executable, "-c", program)
    assert not Path(done.stdout.strip()).parent.exists()


def test_error_without_the_server_extra_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert 1 == main(["exec", "--", "true"])
    error = capsys.readouterr().err
    assert "pip install 'gcp-aws-bridge[server]'" in error
    assert "[config/extra-server]" in error


# -- serve -------------------------------------------------------------------------------------


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run `serve`, and yield the variables that it printed."""
    with started("serve", "--port", "0", "--shell", "dotenv", *arguments) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        yield process, dict(line.strip().split("=", 1) for line in lines)


def fetched(environ: dict[str, str], path: str = "") -> dict[str, str]:
    token = Path(environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text(encoding="utf-8")
    url = environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] + path
    request = urllib.request.Request(url, headers={"Authorization": token})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=30) as answer:
        found: dict[str, str] = json.load(answer)
    return found


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_serve_answers_at_the_printed_address_until_it_is_stopped(
    pod: Emulator, tmp_path: Path, name: str
) -> None:
    pod.add_role(OTHER)
    file = tmp_path / "token"
    roles = ["--role-arn", ROLE, "--role-arn", f"second={OTHER}"]
    with serving(*roles, "--token-file", str(file)) as (process, environ):
        assert str(file) == environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)
        arns = [fetched(environ, path)["RoleArn"] for path in ("", "/etl", "/second")]
        process.send_signal(getattr(signal, name))
        _, log = process.communicate(timeout=20)
    assert [ROLE, ROLE, OTHER] == arns
    assert (0 if name == "SIGTERM" else 130) == process.returncode
    assert "Traceback" not in log
    lines = [line for line in log.splitlines() if "gcp_aws_bridge.access" in line]
    assert 3 == len(lines)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("flags", [[], ["--quiet"]], ids=str)
def test_access_denied_is_logged_once(pod: Emulator, tmp_path: Path, flags: list[str]) -> None:
    pod.remove_role(ROLE)
    file = str(tmp_path / "token")
    with serving("--role-arn", ROLE, "--token-file", file, *flags) as (process, environ):

        def refused() -> bool:
            with pytest.raises(urllib.error.HTTPError, match="400") as caught:
                fetched(environ)
            caught.value.close()
            return len(pod.sts.requests) == 2

        eventually(refused)
        process.terminate()
        _, log = process.communicate(timeout=20)
    [line] = [line for line in log.splitlines() if "exchange/denied" in line]
    assert f" WARNING gcp_aws_bridge {ROLE}: no fresh credentials: Assuming {ROLE}" in line
    assert "Fix: " in line


def test_readiness_probe_succeeds_once_credentials_exist(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--token-file", str(tmp_path / "token"), "--status-port", str(port)]
    with serving("--role-arn", ROLE, "--quiet", *where):
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def is_ready() -> bool:
            try:
                return direct.open(f"http://127.0.0.1:{port}/readyz", timeout=10).status == 200
            except OSError:
                return False

        eventually(is_ready)


@pytest.mark.parametrize(
    ("arguments", "error_id"),
    [
        (["--role-arn", "x=y"], "config/role-arn"),
        (["--role-arn", "nonsense"], "config/role-arn"),
        (["--role-arn", ROLE, "--role-arn", ROLE], "config/served-twice"),
        (["--role-arn", ROLE, "--token-file", "/nowhere/at/all"], "config/token-file"),
        (["--role-arn", ROLE, "--port", "70000"], "config/listen"),
        (["--role-arn", ROLE, "--host", "nowhere.invalid"], "config/listen"),
        ([], "config/no-role"),
    ],
    ids=str,
)
def test_invalid_settings_of_serve_are_a_clear_error(
    arguments: list[str], error_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 1 == main(["serve", "--port", "0", *arguments])
    assert f"[{error_id}]" in capsys.readouterr().err


@posix
@pytest.mark.parametrize(
    "arguments", [["serve", "--role-arn", ROLE, "--port", "0", "--token-file"], ["token", "--file"]]
)
def test_a_token_is_not_written_where_other_users_could_redirect_it(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "shared" / "folder"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o777)
    assert 1 == main([*arguments, str(folder / "token")])
    error = capsys.readouterr().err
    assert "other users can rename a folder on its path" in error
    assert "[config/token-file]" in error
    assert [] == list(folder.iterdir())


@posix
def test_program_has_its_token_in_a_shared_temporary_folder(tmp_path: Path) -> None:
    """Temporary files in a pod's `emptyDir` at /tmp, which is not sticky."""
    volume = tmp_path / "tmp"
    volume.mkdir()
    volume.chmod(0o777)
    done = executed("--", sys.executable, "-c", WHO, TMPDIR=str(volume))
    assert (0, "") == (done.returncode, done.stderr)
    assert [] == list(volume.iterdir())


def test_error_for_an_invalid_arn_quotes_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main(["serve", "--role-arn", "nonsense"])
    assert '"nonsense" is not the ARN' in capsys.readouterr().err


# -- token -------------------------------------------------------------------------------------


def test_the_token_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["token", "--audience", "https://a.example"])
    token = id_token.parse(capsys.readouterr().out, origin="it")
    assert ("https://a.example",) == token.audience


@pytest.mark.parametrize("variable", ["GCP_AWS_BRIDGE_AUDIENCE", "GCP_OAUTH_AUD"])
def test_the_audience_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str
) -> None:
    monkeypatch.setenv(variable, "https://b.example")
    assert 0 == main(["token"])
    assert ("https://b.example",) == id_token.parse(capsys.readouterr().out, origin="").audience


def test_token_file_is_readable_by_this_user_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    assert 0 == main(["token", "--file", str(file)])
    assert "" == capsys.readouterr().out
    assert id_token.parse(file.read_text(encoding="utf-8"), origin="it")
    assert [file] == list(tmp_path.glob("[!h]*"))
    if os.name == "posix":
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)


def test_missing_token_is_a_clear_error_and_keeps_the_file(
    pod: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_text("before", encoding="utf-8")
    pod.metadata.inject(Fault.status(404), times=None)
    assert 1 == main(["token", "--file", str(file)])
    assert "[token/" in capsys.readouterr().err
    assert "before" == file.read_text(encoding="utf-8")


def test_watch_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["token", "--watch"])
    assert "--watch needs --file" in capsys.readouterr().err


@posix
def test_watch_ends_on_a_signal(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with started("token", "--watch", "--file", str(file)) as process:
        eventually(file.exists)
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(20)
