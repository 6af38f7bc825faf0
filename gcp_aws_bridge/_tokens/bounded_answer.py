"""The limits of `bounded_reader` for botocore and requests, which use urllib3."""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gcp_aws_bridge._tokens.bounded_reader import BoundedReader


class AnswerTooLong(http.client.HTTPException):
    """The answer exceeds the limit. urllib3 treats it as a broken connection."""


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(BoundedReader(self.fp.detach(), sock, AnswerTooLong))


def bounded(pools: Mapping[str, Any]) -> dict[str, Any]:
    """Return urllib3's connection pool classes by scheme, with a time limit for each answer.

    Args:
        pools: `pool_classes_by_scheme` of a pool manager that has no connections yet.
    """
    return {scheme: _bounded(pool, pool.ConnectionCls) for scheme, pool in pools.items()}


@lru_cache(maxsize=16)
def _bounded(pool: Any, connection: Any) -> Any:
    own = type(connection.__name__, (connection,), {"response_class": _BoundedResponse})
    return type(pool.__name__, (pool,), {"ConnectionCls": own})
