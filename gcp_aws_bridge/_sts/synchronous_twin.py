"""A botocore session with the settings of an aiobotocore session, for requests to STS."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from botocore.handlers import BUILTIN_HANDLERS
from botocore.session import Session

from gcp_aws_bridge._sts.session_settings import client_options


def twin_of(session: Session) -> Session:
    """Return a botocore session with the settings of *session* that matter for STS."""
    twin = _Twin(session)
    for event, handler, *_ in BUILTIN_HANDLERS:  # all of them would take as long as the exchange
        if "." not in event or event.split(".")[1] == "sts":
            twin.register(event, handler)
    for name, value in session.instance_variables().items():
        twin.set_config_variable(name, value)
    # The loader caches what it has read, for example 2 MB of endpoints.
    twin.register_component("data_loader", session.get_component("data_loader"))
    if options := client_options(session):
        twin.set_default_client_config(Config(**options))
    return twin


class _Twin(Session):
    """A botocore session with the profiles that *original* has read."""

    def __init__(self, original: Session) -> None:
        profile = original.instance_variables().get("profile")
        super().__init__(include_builtin_handlers=False, profile=profile)
        self._original = original

    @property
    def full_config(self) -> dict[str, Any]:
        found: dict[str, Any] = self._original.full_config
        return found
