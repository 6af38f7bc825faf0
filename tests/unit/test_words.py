"""Plain English: words of a private dialect fail, and docstrings begin with a verb or a name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXCEPTIONS = Path(__file__).with_name("words_allowed.txt")
FOLDERS = (".ci", ".github", "docs", "gcp_aws_bridge", "tests")
SUFFIXES = {"", ".cjs", ".go", ".java", ".js", ".json", ".md", ".py", ".sh", ".svg", ".txt"}
SUFFIXES |= {".toml", ".yaml", ".yml"}
NOT_READ = {"__pycache__", "_build", "_static"}

pytestmark = pytest.mark.skipif(not (ROOT / "docs").exists(), reason="not in a source checkout")

VENDOR = "(?:aws|boto3|botocore|eks|gke|google|google-auth|sts)"
# What follows "of Google's" where no noun does; "one of Google's errors" is plain.
NO_NOUN = r"(?=[.,;:()\"]|\n\n| (?:are|at|by|for|from|in|is|on|that|to|with|without)\b)"
# (pattern, words to use instead). "Lost", "good", "over", "way" and "link" have everyday meanings
# too, so only the phrases that have the private meaning are listed.
PLAIN = (
    (r"cells?", "credential cache, cached credentials"),
    (r"(?<!single.)flights?|fl(?:y|ies|ew|own|ying)", "refresh, refresh attempt, pending"),
    (r"land(?:s|ed|ing)?", "complete"),
    (r"renew(?:s|ed|ing)?|renewals?", "refresh"),
    (r"hop(?:s|ped|ping)?", "role in the chain, chained role"),
    (r"roads?|ways? of getting", "method, provider, code path"),
    (r"links? (?:of|in) [\w'.]+ chain", "provider"),
    (r"mend(?:s|ed|ing)?", "fix, correct"),
    (r"good (?:credentials|keys|tokens?)|(?:credentials|keys|token) (?:is|are) good", "valid"),
    (r"(?:credentials|keys|token|session) (?:is|are|was|were) over", "expired"),
    (r"(?:be|is|are|was|were) had", "available"),
    (r"anew", "again"),
    (r"in place of", "instead of"),
    (r"behind (?:[\w'.]+ ){1,2}back", "in the background"),
    (r"(?:hand(?:s|ed|ing)?|give[sn]?|giving|gave) out", "return"),
    (r"who(?:m|ever|mever)|(?:some|no)bodys?|(?:one|those) who", "the caller, the client, the pod"),
    (r"theirs", "the noun: Google's ID token"),
    (rf"of {VENDOR}'?s{NO_NOUN}", "the noun: botocore's provider"),
    (r"(?:a|few) (?:moments?|while)|moments", "a number with its unit"),
    (r"the worlds?", "the clock and other dependencies (Clock, Environment)"),
    (r"renderings?", "adapter"),
    (r"refusals?|sa(?:id|ys?) no", "error, access denied"),
)
# A phrase may be continued on the next line, in a comment or in a string.
GAP = r"(?:\s+|[\s\"]*\n[\s#\"]+)"
# The first letters make it eight times as fast.
DIALECT = re.compile(
    r"\b(?=[abcfghiklmnorstw])(?:"
    + "|".join(f"(?P<g{n}>{row[0].replace(' ', GAP)})" for n, row in enumerate(PLAIN))
    + r")(?![a-z0-9])"
)


def normal(text: str) -> str:
    """Separate the words of identifiers, keep the lines."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", text).lower()


@dataclass(frozen=True)
class Hit:
    """A word of the dialect in a file."""

    file: str
    line: int
    word: str
    instead: str
    start: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.word!r}; write: {self.instead}"


@dataclass(frozen=True)
class Allowed:
    """A text in which a word of the dialect has its usual meaning."""

    files: str
    text: str
    reason: str

    def permits(self, hit: Hit, text: str) -> bool:
        """Return whether the *hit* in the normalized *text* of a file is inside this text."""
        if not fnmatch(hit.file, self.files):
            return False
        words = re.compile(GAP.join(map(re.escape, normal(self.text).split())))
        near = words.finditer(text, max(0, hit.start - 200), hit.start + 200)
        return any(match.start() <= hit.start < match.end() for match in near)


def allowed() -> list[Allowed]:
    lines = EXCEPTIONS.read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if line and not line.startswith("#")]
    return [Allowed(*(column.strip() for column in row)) for row in rows]


def hits_in(file: str, text: str) -> Iterator[Hit]:
    """Yield the words of the dialect in the normalized *text*, whose line 0 is the file's path."""
    for match in DIALECT.finditer(text):
        instead = PLAIN[int(str(match.lastgroup)[1:])][1]
        yield Hit(file, text.count("\n", 0, match.start()), match[0], instead, match.start())


def files() -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file that people read, of the changelog the new part."""
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    found += [path for pattern in ("*.md", "*.py", "*.toml") for path in sorted(ROOT.glob(pattern))]
    for path in found:
        if (
            path.suffix not in SUFFIXES
            or not path.is_file()
            or NOT_READ & {*path.relative_to(ROOT).parts}
        ):
            continue
        if path in (EXCEPTIONS, Path(__file__)):
            continue
        text = path.read_text(encoding="utf-8")
        if path.name == "CHANGELOG.md":
            text = re.split(r"^## (?!\[Unreleased\])", text, flags=re.M)[0]
        yield path.relative_to(ROOT).as_posix(), text


def test_text_uses_plain_words() -> None:
    exceptions, unused, wrong = allowed(), {*allowed()}, []
    for file, raw in files():
        text = normal(f"{file}\n{raw}")
        for hit in hits_in(file, text):
            permitting = [one for one in exceptions if one.permits(hit, text)]
            unused -= {*permitting}
            if not permitting:
                wrong.append(str(hit))
    assert not wrong, "\n".join(wrong)
    assert not unused, f"delete from {EXCEPTIONS.name}: {unused}"


# Pronouns, relative words, conjunctions and prepositions, with which no name of a thing begins. A
# property may begin with "Whether".
NO_NAMES = re.findall(
    "[a-z]+",
    """and as at because but by during for from how if in into it its nothing of on or so such that
    their them these they this those to what whatever when where which while who whom whose why with
    without""",
)
# What else is no verb, of the words with which a docstring may begin.
NO_VERBS = NO_NAMES + re.findall(
    "[a-z]+",
    """a all an another any around being both done each every everything keys namespace
    no none one plain seconds some something text the valid variables we whether you""",
)
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def first_words(node: ast.AST) -> Iterator[tuple[int, bool, str]]:
    """Yield the line, whether it is a function's, and the first word of each public docstring."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTION, ast.ClassDef)) and not child.name.startswith("_"):
            text = (ast.get_docstring(child) or "").split()
            decorators = " ".join(map(ast.unparse, child.decorator_list))
            function = isinstance(child, FUNCTION) and "property" not in decorators
            if text:
                yield child.lineno, function, text[0].strip(",.:;")
        yield from first_words(child)


def no_verb(word: str) -> bool:
    third_person = re.search(r"[^s]s$", word)
    return bool(third_person) or not re.fullmatch("[A-Z][a-z-]+", word) or word.lower() in NO_VERBS


def test_docstring_begins_with_a_verb_or_names_the_thing() -> None:
    wrong = []
    for path in sorted((ROOT / "gcp_aws_bridge").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = (ast.get_docstring(tree) or "").split()[:1]
        for line, function, word in [*((1, False, word) for word in module), *first_words(tree)]:
            if no_verb(word) if function else word.lower() in NO_NAMES:
                kind = "a verb in the imperative" if function else "the name of the thing"
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {word!r}; begin with {kind}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("it flies", ["flies"]),
        ("a roadmap, a hopper, excellent cells", ["cells"]),
        ("_CredentialCell and on_the_road", ["cell", "road"]),
        ("# in place\n    # of it, single-flight", ["in place\n    # of"]),
        ("some of Google's errors; one of Google's.", ["of google's"]),
    ],
)
def test_dialect_is_found_in_identifiers_and_across_lines(text: str, words: list[str]) -> None:
    assert words == [hit.word for hit in hits_in("a.py", normal(text))]


@pytest.mark.parametrize(
    ("text", "permitted"),
    [("a hop\n# limit", True), ("HttpPutResponseHopLimit", True), ("the next hop", False)],
)
def test_exception_permits_a_word_only_in_its_text(text: str, permitted: bool) -> None:
    [hit] = hits_in("docs/a.md", normal(text))
    assert permitted == Allowed("docs/*", "hop limit", "EC2").permits(hit, normal(text))
    assert not Allowed("tests/*", "hop limit", "EC2").permits(hit, normal(text))


@pytest.mark.parametrize("word", ["The", "Returns", "What", "`x`", "*path*", "5xx"])
def test_word_that_is_no_imperative_is_found(word: str) -> None:
    assert no_verb(word)
    assert not any(map(no_verb, ("Return", "Process", "Give")))
