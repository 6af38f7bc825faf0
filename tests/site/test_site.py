"""The site as readers get it: built, served on loopback, opened in a real browser: nox -s site."""

from __future__ import annotations

import functools
import http.server
import importlib
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urlsplit

import pytest
from pages import DOCS

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
ALONE = [
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-quic", "--disable-gpu"),
]
PAGES = sorted(p.relative_to(DOCS).with_suffix(".html").as_posix() for p in DOCS.rglob("*.md"))
# Light as on a desktop, dark as on a phone.
LOOKS: dict[str, dict[str, Any]] = {
    "desk": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
}
READ = (Path(__file__).parent / "browser.js").read_text(encoding="utf-8")

sphinx = pytest.importorskip("sphinx", reason="the site is built by nox -s site")
pytest.importorskip("furo")
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no chromium is installed"),
    pytest.mark.timeout(120),
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Write no log."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Build the site with warnings as errors, and return its address."""
    folder = tmp_path_factory.mktemp("site")
    strict = ["-W", "--keep-going", "-n", "-q", "-b", "html"]
    doctrees = ["-d", str(tmp_path_factory.mktemp("doctrees"))]
    command = [sys.executable, "-m", "sphinx", *strict, *doctrees, str(DOCS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = str(tmp_path_factory.mktemp("home"))
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=BROWSER,
            args=ALONE,
            chromium_sandbox=False,
            env={"HOME": home, "PATH": "/usr/bin:/bin"},
        )
        yield started
        started.close()


class Visit:
    """One visit of one page, and all errors meanwhile."""

    def __init__(self, reader: Any, url: str) -> None:
        self.page = reader.new_page()
        self.wrong: list[str] = []
        self.requested: set[str] = set()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.requested.add(request.url))
        self.page.on("requestfailed", lambda request: self.wrong.append(request.url))
        self.page.on("response", self._on_response)
        self.page.goto(url, wait_until="load")

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)

    def _on_response(self, response: Any) -> None:
        if response.status >= 400:
            self.wrong.append(f"{response.status} {response.url}")

    def elsewhere(self, site: str) -> list[str]:
        """Return the requests to other servers."""
        return sorted(url for url in self.requested if not url.startswith((site, "data:", "blob:")))


@pytest.fixture(scope="module")
def readers(browser: Any) -> dict[str, Any]:
    return {look: browser.new_context(**LOOKS[look]) for look in LOOKS}


@pytest.fixture
def visit(readers: dict[str, Any]) -> Iterator[Callable[..., Visit]]:
    made: list[Visit] = []

    def opened(url: str, look: str = "desk") -> Visit:
        made.append(Visit(readers[look], url))
        return made[-1]

    yield opened
    for each in made:
        each.page.close()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("look", LOOKS)
def test_page_opens_without_other_servers_and_is_legible(
    site: str, visit: Callable[..., Visit], path: str, look: str
) -> None:
    seen = visit(site + path, look)
    assert ([], []) == (seen.wrong, seen.elsewhere(site))
    found = seen.page.evaluate(READ)
    assert [] == found["faint"]
    assert found["wide"] <= LOOKS[look]["viewport"]["width"], "the page scrolls sideways"
    assert (found["ground"] < 0.1) is (look == "phone")


@pytest.mark.parametrize("path", ["index.html", "benchmarks.html"])
def test_tables_of_figures_fit_a_phone(site: str, visit: Callable[..., Visit], path: str) -> None:
    page = visit(site + path, "phone").page
    widths = page.eval_on_selector_all(
        ".table-wrapper", "all => all.map(e => [e.scrollWidth, e.clientWidth])"
    )
    assert len(widths) > 3
    assert [] == [width for width in widths if width[0] > width[1]]


def test_navigation_entries_differ(site: str, visit: Callable[..., Visit]) -> None:
    page = visit(site).page
    entries = page.eval_on_selector_all(
        ".sidebar-tree a", "all => all.map(a => a.textContent.trim())"
    )
    assert len(entries) > 30
    assert sorted(set(entries)) == sorted(entries)


def test_module_names_in_code_do_not_look_like_links(
    site: str, visit: Callable[..., Visit]
) -> None:
    page = visit(site, "phone").page
    style = "e => [getComputedStyle(e).textDecorationLine, getComputedStyle(e).color]"
    decoration, colour = page.eval_on_selector(".highlight .nn", style)
    _, link = page.eval_on_selector(".content a.reference", style)
    assert ("none", True) == (decoration, colour != link)


@pytest.mark.parametrize(
    "name", ["", ".aio", ".emulator", ".exceptions", ".google", ".policy", ".testing"]
)
def test_every_public_name_is_in_the_api_reference(site: str, name: str) -> None:
    """The built page has the names that are loaded lazily, which Sphinx does not find by itself."""
    module = importlib.import_module(f"gcp_aws_bridge{name}")
    with urllib.request.urlopen(f"{site}reference/api.html") as page:
        text = page.read().decode()
    shown = {*re.findall(rf'<dt class="[^"]*" id="{re.escape(module.__name__)}\.(\w+)">', text)}
    # Two classes are called Role: the emulator's is in no index.
    shown |= {
        *re.findall(r'<dt class="sig sig-object py">.*?descname"><span.*?>(\w+)<', text, re.S)
    }
    promised = {*module.__all__} - {"exceptions"}  # a module with its own section
    assert promised
    assert [] == sorted(promised - shown)


def test_every_link_has_a_target(site: str, visit: Callable[..., Visit]) -> None:
    """Links between pages and to places in them; links to other sites only need to use https."""
    links: dict[str, set[str]] = {}
    places: dict[str, set[str]] = {}
    for path in PAGES:
        page = visit(site + path).page
        links[path] = set(page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)"))
        places[path] = set(page.eval_on_selector_all("[id]", "all => all.map(e => e.id)"))
    broken = []
    for path, targets in links.items():
        for target in targets:
            where, fragment = urldefrag(target)
            inside = where.removeprefix(site)
            if not where.startswith(site):
                broken += [target] * (urlsplit(target).scheme != "https")
            elif inside in places:
                broken += [f"{path}: {target}"] * (fragment not in {"", *places[inside]})
            elif inside not in ("", "genindex.html", "py-modindex.html", "search.html"):
                answer = page.request.get(where)
                broken += [f"{path}: {target}"] * (answer.status != 200)
    assert [] == broken


def test_search_finds_a_page(site: str, visit: Callable[..., Visit]) -> None:
    seen = visit(f"{site}search.html?q=outage")
    seen.page.wait_for_selector("#search-results li a")
    assert ([], []) == (seen.wrong, seen.elsewhere(site))


def test_faults_of_a_page_are_found(site: str, visit: Callable[..., Visit]) -> None:
    """A page with all faults shows that the checks find them."""
    seen = visit(site, "phone")
    seen.page.set_content(
        '<html style="background: white"><div class="page"><div class="main" style="width: 500px">'
        '<p style="color: #aaa">faint</p><img src="http://127.0.0.1:9/none.png"></div></div>'
    )
    seen.page.wait_for_timeout(200)
    found = seen.page.evaluate(READ)
    assert 1 == len(found["faint"])
    assert found["wide"] > 390
    assert found["ground"] > 0.9
    assert seen.wrong
    assert ["http://127.0.0.1:9/none.png"] == seen.elsewhere(site)
