"""The image's recipe: pinned, without a shell or root, with a lock that fits the package."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml
from packaging.requirements import Requirement as Specified
from packaging.utils import canonicalize_name
from pages import ROOT

from .recipe import FOLDER, LOCK, Requirement, containerfile, extras_of, locked

try:
    import tomllib
except ImportError:  # Python 3.10; coverage.py and pytest use it there, too
    import tomli as tomllib

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="not in a source checkout")


def faults_of(text: str) -> Iterator[str]:
    """Yield why a pod of the restricted profile could not start this image, or no other could."""
    *_, last = text.partition("\nFROM runtime\n")
    [*_, user] = re.findall(r"^USER (.*)$", text, re.M)
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user):
        yield "the user"
    if re.findall(r"^ENTRYPOINT (.*)$", text, re.M) != ['["gcp-aws-bridge"]']:
        yield "the entry point"
    if not last or re.search(r"^(RUN|SHELL|CMD|ADD)\b", last, re.M):
        yield "a shell"
    stages = set(re.findall(r" AS (\w+)$", text, re.M))
    for image in re.findall(r"^FROM (?:--\S+ )?(\S+)", text, re.M):
        if image not in stages and not re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image):
            yield "the digest"


def test_image_starts_as_another_user_than_root_and_without_a_shell() -> None:
    assert list(faults_of(containerfile())) == []


@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        ("USER 65532:65532", "USER 65532:65532\nUSER 0", "the user"),
        ("USER 65532:65532", "USER nonroot", "the user"),
        ('["gcp-aws-bridge"]', "gcp-aws-bridge", "the entry point"),
        ("\nUSER", "\nRUN true\nUSER", "a shell"),
        ("nonroot@sha256:", "nonroot@sha1:", "the digest"),
        (":nonroot@", "@", "the digest"),
    ],
)
def test_image_that_could_not_start_is_found(right: str, wrong: str, found: str) -> None:
    assert right in containerfile()
    assert list(faults_of(containerfile().replace(right, wrong))) == [found]


def test_both_images_and_the_lock_have_the_same_python() -> None:
    text = containerfile()
    [built] = re.findall(r"/python:([\d.]+)-slim-trixie@", text)
    folders = set(re.findall(r"/python(3[\d.]+)\b", text))
    [for_lock] = re.findall(r"--python-version ([\d.]+)", LOCK.read_text(encoding="utf-8"))
    assert folders == {built} == {for_lock}
    assert "/distroless/python3-debian13:nonroot@" in text  # Debian 13, trixie, has Python 3.13


def not_pinned(requirements: list[Requirement]) -> list[str]:
    return [
        name
        for name, version, hashes in requirements
        if not re.fullmatch(r"\d[\w.]*", version)
        or not hashes
        or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes)
    ]


def test_every_dependency_has_a_version_and_hashes() -> None:
    requirements = locked(LOCK.read_text(encoding="utf-8"))
    assert len(requirements) > 15
    assert not_pinned(requirements) == []


def test_dependency_without_a_pin_is_found() -> None:
    digest = "sha256:" + "0" * 64
    text = f"a==1 \\\n    --hash={digest}\n    # via b\nb>=2 \\\n    --hash={digest}\nc==3\n"
    assert not_pinned(locked(text)) == ["b>=2", "c"]


def test_lock_fits_the_package() -> None:
    """Fails when dependencies in pyproject.toml change: run the command in the lock's header."""
    text = LOCK.read_text(encoding="utf-8")
    extras = extras_of(text)
    [installed] = re.findall(r"'gcp-aws-bridge\[([\w,]+)\]'", containerfile())
    assert extras == set(installed.split(",")) == {"google", "server", "webhook"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"].get(extra, [])
    versions = {canonicalize_name(name): version for name, version, _ in locked(text)}
    for line in wanted:
        requirement = Specified(line)
        if requirement.name != project["name"]:
            name = canonicalize_name(requirement.name)
            assert name in versions, line
            assert versions[name] in requirement.specifier, line


def test_dependabot_updates_digests_and_lock() -> None:
    text = (ROOT / ".github/dependabot.yml").read_text(encoding="utf-8")
    updated = {
        one["package-ecosystem"]: one["directory"] for one in yaml.safe_load(text)["updates"]
    }
    assert {updated.get("docker"), updated.get("pip")} == {"/docs/kubernetes"}
