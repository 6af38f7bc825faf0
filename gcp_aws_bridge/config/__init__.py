"""`Role` and `ChainedRole`: a request for AWS credentials, as one value.

Invariant: every role is well-formed. Whatever STS would reject as malformed raises an error here,
before any request.

Names are imported when first used, since creating a dataclass takes as long as a hundredth of the
first call, or a tenth of a short command.
"""

from __future__ import annotations

from gcp_aws_bridge.config.checks import DEFAULT_AUDIENCE

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from typing import Any

    from gcp_aws_bridge.config.chained_role import ChainedRole
    from gcp_aws_bridge.config.role import Role

__all__ = ["ChainedRole", "DEFAULT_AUDIENCE", "Role"]  # noqa: RUF022 - by ASCII, as all of them

_HOME = {"ChainedRole": "chained_role", "Role": "role"}


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
