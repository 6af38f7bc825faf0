"""Run the tests of an unpacked source distribution in three ways and compare their outcomes.

`python -m tests.upstream FOLDER`: FOLDER has the unpacked source distribution of the installed
version of botocore or aiobotocore. Fails if a test has another outcome under `install()` or
`register()` than without this library, or if too few tests ran.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

PLUGINS = Path(__file__).parent
WAYS = ("plain", "install", "register")
# Tests of credentials, sessions, signers and tokens, and of what clients consist of.
TESTS = {
    "botocore": [
        *("unit/auth", "unit/login", "unit/test_auth_bearer.py", "unit/test_auth_sigv4.py"),
        *("unit/test_client.py", "unit/test_config_provider.py", "unit/test_credentials.py"),
        *("unit/test_endpoint.py", "unit/test_handlers.py", "unit/test_hooks.py"),
        *("unit/test_plugin.py", "unit/test_retryhandler.py", "unit/test_session.py"),
        *("unit/test_session_legacy.py", "unit/test_signers.py", "unit/test_tokens.py"),
        *("functional/plugins", "functional/test_auth_config.py"),
        *("functional/test_bearer_auth.py", "functional/test_config_provider.py"),
        *("functional/test_credentials.py", "functional/test_events.py"),
        *("functional/test_plugins.py", "functional/test_retry.py", "functional/test_session.py"),
        *("functional/test_signin.py", "functional/test_sts.py", "functional/test_useragent.py"),
    ],
    "aiobotocore": ["botocore_tests", "test_credentials.py", "test_session.py"],
}
# Fewer would mean that a release keeps its tests elsewhere.
AT_LEAST = 900


def main() -> int:
    folder = Path(sys.argv[1])
    library = folder.name.rpartition("-")[0]
    paths = [f"tests/{name}" for name in TESTS[library] if (folder / "tests" / name).exists()]
    with tempfile.TemporaryDirectory() as written:
        running = {way: _start(folder, paths, way, Path(written)) for way in WAYS}
        for way, process in running.items():
            print(f"{folder.name}, {way}:", process.communicate()[0].strip().rpartition("\n")[2])
        outcomes = {way: json.loads((Path(written) / way).read_text("utf-8")) for way in WAYS}
    plain = outcomes.pop("plain")
    passed = Counter(plain.values())["passed"]
    differences = [
        f"{test}: {plain.get(test, 'not run')} without, {found.get(test, 'not run')} under {way}()"
        for way, found in outcomes.items()
        for test in sorted({*plain, *found})
        if plain.get(test) != found.get(test)
    ]
    print(*differences, sep="\n")
    if passed < AT_LEAST:
        print(f"Only {passed} tests passed: look at {folder}/tests.")
    return int(bool(differences) or passed < AT_LEAST)


def _start(folder: Path, paths: list[str], way: str, written: Path) -> subprocess.Popen[str]:
    plugins = ["-p", "outcomes", "-o", f"cache_dir={written / way}.cache"]
    both = ["--http-backend=all"] if folder.name.startswith("aiobotocore") else []
    command = [sys.executable, "-m", "pytest", "-q", *plugins, *both, *paths]
    return subprocess.Popen(
        command,
        cwd=folder,
        env={
            **{name: it for name, it in os.environ.items() if not name.startswith("AWS_")},
            "PYTHONPATH": str(PLUGINS),
            "UPSTREAM_WAY": way,
            "UPSTREAM_OUTCOMES": str(written / way),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


sys.exit(main())
