"""The pictures match the code and the data, and are legible on every screen and page."""

from __future__ import annotations

import os
import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from unit.test_architecture import BASE, PIPELINE

import gcp_aws_bridge as bridge
from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.testing import GkePod

from . import architecture, data, exchange, measuring
from .look import THEMES, Theme, contrast
from .pictures import CHARTS, DIAGRAMS, RECORDED, files

if os.name == "posix":
    from terminals import screen, text

    from . import recorded

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::123456789012:role/etl"
PICTURES = sorted((ROOT / "docs/figures").glob("*.svg"))
MEASURED = sorted((ROOT / "docs/figures/data").iterdir()) if PICTURES else []
SVG = "{http://www.w3.org/2000/svg}"
PHONE = 340  # CSS pixels of a page on a phone

pytestmark = pytest.mark.skipif(not PICTURES, reason="not in a source checkout")


def parsed(path: Path) -> ElementTree.Element:
    return ElementTree.fromstring(path.read_text(encoding="utf-8"))


# -- files -------------------------------------------------------------------------------------


def test_each_picture_exists_for_light_and_dark_pages() -> None:
    names = sorted(f"{name}-{theme.name}.svg" for name in (*CHARTS, *DIAGRAMS) for theme in THEMES)
    assert names == [path.name for path in PICTURES]


@pytest.mark.parametrize("name", sorted(DIAGRAMS))
def test_diagram_is_what_the_code_draws(name: str) -> None:
    for file, drawn in files((name,)):
        assert drawn == (data.FOLDER / file).read_text(encoding="utf-8"), "run nox -s figures"


@pytest.mark.parametrize("name", CHARTS)
def test_chart_was_drawn_from_the_current_data(name: str) -> None:
    """`nox -s figures -- --check`, which has matplotlib, compares every byte."""
    for theme in THEMES:
        described = parsed(data.FOLDER / f"{name}-{theme.name}.svg").findtext(f"{SVG}desc")
        assert data.made_by(name, data.read(name)) == described, "run nox -s figures"


@pytest.mark.parametrize("name", [*CHARTS, *RECORDED])
def test_picture_names_its_command_and_versions(name: str) -> None:
    described = data.made_by(name, data.read(name))
    assert re.search(r"`(python -m tests\.|gcp-aws-bridge ).+` made with .*python \d", described)
    assert re.search(r"gcp-aws-bridge \d", described)


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path.name)
def test_data_has_no_path_of_a_machine_and_no_key(path: Path) -> None:
    content = path.read_text(encoding="utf-8")
    assert not re.search(r"/(tmp|home|root|Users)/|\b(AKIA|ASIA)[A-Z0-9]{16}\b", content)


# -- legibility --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_text_can_be_read_on_a_phone(path: Path) -> None:
    picture = parsed(path)
    *_, width, _ = map(float, picture.attrib["viewBox"].split())
    size = re.compile(r'font(?:-size="|[^"]*? )([\d.]+)(?:px|")')
    sizes = [float(found) for found in size.findall(path.read_text(encoding="utf-8"))]
    assert sizes
    assert min(sizes) * PHONE / width > 7.5


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_picture_has_a_description_for_screen_readers(path: Path) -> None:
    picture = parsed(path)
    assert "img" == picture.attrib["role"]
    assert picture.findtext(f"{SVG}title")


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_colours_have_enough_contrast(theme: Theme) -> None:
    """WCAG 2.2: 4.5 to 1 for text (1.4.3)."""
    coloured = ("ink", "faint", "blue", "red", "green", "cyan")
    for ground in (theme.ground, theme.panel):
        for name in coloured:
            assert contrast(getattr(theme, name), ground) >= 4.5, name
    assert contrast(theme.orange, theme.ground) >= 3  # marks (1.4.11)


def test_contrast_is_that_of_the_standard() -> None:
    assert 21 == round(contrast("#000000", "#ffffff"), 6)
    assert 4.48 == round(contrast("#777777", "#ffffff"), 2)


# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency" (2009), severity 1.0, on linear RGB.
VISIONS = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def seen_by(vision: str, colour: str) -> tuple[float, ...]:
    linear = [(int(colour[at : at + 2], 16) / 255) ** 2.2 for at in (1, 3, 5)]
    mixed = [sum(w * part for w, part in zip(row, linear, strict=True)) for row in VISIONS[vision]]
    return tuple(max(0.0, part) ** (1 / 2.2) for part in mixed)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("vision", VISIONS)
def test_colours_of_a_chart_differ_for_every_colour_vision(vision: str, theme: Theme) -> None:
    """Colours of one chart; hatches, dashes and labels distinguish the data too."""
    for one, other in combinations((theme.blue, theme.orange, theme.red), 2):
        pairs = zip(seen_by(vision, one), seen_by(vision, other), strict=True)
        assert sum((a - b) ** 2 for a, b in pairs) ** 0.5 > 0.1, (one, other)


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_pictures_in_pages_exist_in_both_themes_with_alternative_text() -> None:
    found = 0
    for page in pages():
        for picture in re.findall(r"<picture>(.*?)</picture>", page.read_text("utf-8"), re.S):
            dark = re.search(
                r'<source media="\(prefers-color-scheme: dark\)" srcset="(.*?)"', picture
            )
            light = re.search(r'<img alt="([^"]{20,})"\s+src="(.*?)"', picture)
            assert dark, page
            assert light, page
            assert (page.parent / dark[1]).exists(), dark[1]
            assert (page.parent / light[2]).exists(), light[2]
            assert dark[1].replace("-dark.", "-light.") == light[2]
            found += 1
    assert found >= 5


# -- content -----------------------------------------------------------------------------------


def test_architecture_has_every_module_of_the_pipeline() -> None:
    drawn = architecture.drawn(THEMES[0])
    words = set(re.findall(r"[\w/]+", drawn))
    modules = {module for part in PIPELINE for module in architecture.modules_of(part)}
    assert {*modules, *BASE} <= words
    packages = ("google", "adapters", "server", "doctor", "provision", "cli", "emulator", "policy")
    packages += ("inject", "webhook")
    assert {f"{name}/" for name in packages} <= words


def test_arrows_are_the_transitive_reduction() -> None:
    graph = {"cli": {"cache", "sts"}, "cache": {"sts"}, "doctor": {"sts"}}
    assert [("cli", "cache"), ("cache", "sts"), ("doctor", "sts")] == architecture.arrows(graph)


def test_import_without_room_in_the_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="base imports cli, and there is no room"):
        architecture._arrow_between(architecture._places(), "base", "cli")
    with pytest.raises(ValueError, match="emulator imports base"):
        architecture._arrow_between(architecture._places(), "emulator", "base")


def test_emulator_receives_the_two_requests_of_the_diagram(gke_pod: GkePod) -> None:
    gke_pod.add_role(ROLE)
    credentials = bridge.session(ROLE, region_name="us-east-1").get_credentials()
    assert credentials is not None
    assert credentials.get_frozen_credentials().access_key
    [request] = gke_pod.cloud.metadata.requests
    assert f"{request.method} {request.path}".endswith(exchange.TOKEN_REQUEST.partition("…")[2])
    assert [exchange.STS_REQUEST] == [request.action for request in gke_pod.cloud.sts.requests]
    sent = [step for step in exchange.STORY if isinstance(step, exchange.Message) and step.code]
    assert [exchange.TOKEN_REQUEST, exchange.STS_REQUEST] == [step.lines[0] for step in sent]


def test_spans_of_an_hour_match_its_steps() -> None:
    steps = [
        (0.0, 0, 0.0, 1),
        (10.0, 0, 0.01, 1),
        (20.0, 0, 4.0, 6),
        (30.4, 4, 30.0, 6),
        (60.0, 0, 0.0, 7),
    ]
    raw = {"steps": steps, "failed": 4, "signings": 1200, "over_50_ms": 5}
    assert {
        "name": "x",
        "summary": "4 of 1,200 signatures fail, 5 wait",
        "spans": [
            (0, 20, "served"),
            (20, 30, "callers wait"),
            (30, 60, "signing fails"),
            (60, 3600, "served"),
        ],
        "requests_s": [0, 20, 60],
    } == measuring.lane("x", raw)


# -- recordings of a terminal ------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="a terminal of another kind")
@pytest.mark.parametrize("name", RECORDED)
def test_output_of_the_commands_equals_the_recordings(name: str) -> None:
    if name == "doctor" and Path(machine._MOUNTED).exists():
        pytest.skip("in a pod, whose name is shown")
    expected = recorded.steadied(data.read(name)["lines"])
    assert expected == recorded.steadied(recorded.record(name)), "run nox -s figures -- --measure"


@pytest.mark.skipif(os.name != "posix", reason="a terminal of another kind")
def test_screen_has_the_final_characters() -> None:
    written = "\r\033[K- w\r\033[K\033[32mok\033[0m done\r\nabcdef\r\n12\r3"
    lines = screen(written, 5)
    assert ["ok do", "ne", "abcde", "f", "32"] == text(lines)
    assert [("o", "32"), ("k", "32"), (" ", "")] == lines[0][:3]
    with pytest.raises(AssertionError):
        screen("\033[?25l", 80)
    with pytest.raises(AssertionError, match="left on"):
        screen("\033[1mbold", 80)
