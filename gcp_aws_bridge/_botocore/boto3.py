"""The boto3 session class of the library, which can be pickled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3

from gcp_aws_bridge._botocore.request import Request


class BridgeSession(boto3.Session):
    """A `boto3.Session` for a role. It pickles as its settings, without credentials."""

    def __init__(
        self, request: Request, region_name: str | None, made_by: Callable[..., Any]
    ) -> None:
        super().__init__(botocore_session=request.session, region_name=region_name)
        self._request = request
        self._region_name = region_name
        self._made_by = made_by

    def __copy__(self) -> BridgeSession:
        # `__reduce__` would create a new session, which a copy in the same process does not need.
        made = type(self).__new__(type(self))
        vars(made).update(vars(self))
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return self._request.pickled(self._made_by, region_name=self._region_name)
