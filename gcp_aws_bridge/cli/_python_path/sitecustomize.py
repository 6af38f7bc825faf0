"""Installs the library in each Python process of `gcp-aws-bridge run`, which adds this folder.

Python imports the first `sitecustomize` on its path at every start, in child processes too. Most
of them never call a cloud, so this module only waits for the import of botocore or google-auth, and
imports nothing of `gcp_aws_bridge` before a session or default credentials are created.

A child process may run another Python, with or without this library, so the module has only syntax
that all of them accept: no annotations, no f-strings.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

import os
import sys

# The module itself is the finder in `sys.meta_path`, and the class of loaders is created only when
# it is needed: two classes would take a third of the time of this module.

# Functions to call with a module that has been executed, by the name of the module.
_ready = {}  # type: ignore[var-annotated]
_asking = set()  # type: set[tuple[int, str]] # threads that ask the other finders, with the name


def find_spec(name, path=None, target=None):
    """Return the other finders' spec for a module in `_ready`, else None.

    The other finders find the module, and their loader executes it. The module keeps that loader.
    """
    if name not in _ready:
        return None
    from _thread import get_ident

    asking = (get_ident(), name)
    if asking in _asking:  # another finder of this kind asks all finders, too
        return None
    _asking.add(asking)
    try:
        spec = _found(name, path, target)
    finally:
        _asking.discard(asking)
    if spec is not None and hasattr(spec.loader, "exec_module"):
        spec.loader = _loader(spec.loader, _ready[name])
    return spec


def _found(name, path, target):
    for finder in list(sys.meta_path):
        own = getattr(finder, "find_spec", None)
        spec = None if own is None or own is find_spec else own(name, path, target)
        if spec is not None:
            return spec
    return None


def _loader(loader, ready):
    """Return a loader that has the attributes of *loader*, until it executes a module."""

    class Loader:
        def create_module(self, spec):
            return loader.create_module(spec)

        def exec_module(self, module):
            module.__loader__ = module.__spec__.loader = loader
            loader.exec_module(module)
            ready(module)

        def __getattr__(self, name):
            return getattr(loader, name)

    return Loader()


def _on_botocore(botocore):
    botocore.register_initializer(_on_session)


def _on_session(session):
    """Add the role to a new session.

    Not done while botocore is being imported: this thread would hold botocore's import lock, and
    another thread could hold the lock of a module of this library that imports botocore.
    """
    # The installation of this module and that of the process may differ in version: releases keep
    # the two functions that are imported here.
    try:
        from gcp_aws_bridge._botocore.run import attach
    except Exception as error:  # noqa: BLE001 - a Python that this library does not support
        _say_missing("AWS role", error)
    else:
        attach(session)


def _on_google_auth(module):
    """Install before the first call of `default`, which no program has imported by name yet."""
    from functools import wraps

    original = module.default

    @wraps(original)
    def default(*args, **kwargs):
        _install_google()
        return original(*args, **kwargs)

    module.default = default
    package = sys.modules.get("google.auth")
    if getattr(package, "default", None) is original:  # a `.pth` file has imported it
        setattr(package, "default", default)  # noqa: B010 - for mypy


_google = []  # type: list[bool] # has one element after the first call of `default`


def _install_google():
    if _google:
        return
    try:
        from gcp_aws_bridge.google._install import install_by_run
    except Exception as error:  # noqa: BLE001 - as above
        _say_missing("AWS identity at Google", error)
    else:
        install_by_run()
    _google.append(True)


_said = []  # type: list[bool]


def _say_missing(what, error):
    if _said or sys.stderr is None:
        return
    _said.append(True)
    python = str(sys.executable)
    sys.stderr.write(
        "gcp-aws-bridge run: no " + what + " for this process: " + python + " cannot import "
        "gcp_aws_bridge (" + str(error) + "). Install it there: " + python + " -m pip install "
        "--upgrade gcp-aws-bridge\n"
    )


def install():
    """Wait for botocore or google-auth, as GCP_AWS_BRIDGE_INSTALL requests.

    opentelemetry-instrument calls this function, too, by the entry point in pyproject.toml: its own
    `sitecustomize` is found first, and does not import the next one.
    """
    requested = os.environ.get("GCP_AWS_BRIDGE_INSTALL", "").lower().replace(",", " ").split()
    if "aws" in requested:
        _ready["botocore"] = _on_botocore
    if "google" in requested:
        _ready["google.auth._default"] = _on_google_auth
    if not _ready or sys.version_info < (3, 4):
        return
    for name in _ready:
        if name in sys.modules:  # a `.pth` file has imported it
            _ready[name](sys.modules[name])
    sys.meta_path.insert(0, sys.modules[__name__])


def _next():
    """Import the `sitecustomize` that Python would have imported without this folder."""
    here = os.path.dirname(__file__)
    if here not in sys.path:
        return
    at = sys.path.index(here)
    del sys.path[at]
    own = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # type: ignore[import-not-found,unused-ignore] # noqa: F401
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
        at = len(sys.path)  # after all others, so that imports need not look here first
    finally:
        # Kept, because some programs set the PYTHONPATH of child processes to their own path.
        sys.path.insert(at, here)
        if own is not None:
            sys.modules.setdefault("sitecustomize", own)


if __name__ == "sitecustomize":
    install()
    _next()
