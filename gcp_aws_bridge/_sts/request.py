"""Sends the library's own requests to STS, over botocore's connections.

Invariants: one request for each call, without retries; only HTTPS, or plain HTTP to loopback (an
emulator) without a proxy; no redirects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import botocore.exceptions
from botocore.auth import AUTH_TYPE_MAPS
from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.session import Session

from gcp_aws_bridge._cache.fork import PerProcess
from gcp_aws_bridge._sts import answer, query
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.endpoint import Endpoint
from gcp_aws_bridge._tokens.bounded_answer import AnswerTooLong


class Requests:
    """Requests to STS in one region, with the settings of a botocore session. Thread-safe.

    Raises:
        ConfigError: The network or a proxy could read the requests.
        BotoCoreError, ValueError: A setting is malformed, or data files are missing.
    """

    def __init__(self, session: Session, region_name: str, config: Config) -> None:
        self._endpoint = Endpoint(session, region_name, config)
        # The parent continues to use its sockets; two processes on one TLS connection break both.
        self._connections = PerProcess(self._endpoint.connect)
        self._connections.get()  # errors now, on the line that creates the session

    @property
    def url(self) -> str:
        """The endpoint."""
        return self._endpoint.url

    @property
    def proxy(self) -> str:
        """URL of the proxy that requests go through; empty for none."""
        return self._endpoint.proxy

    def send(
        self, operation: str, parameters: Mapping[str, Any], keys: AwsCredentials | None
    ) -> answer.Answer:
        """Send one request, and return its result.

        Args:
            operation: `AssumeRole`, for example.
            parameters: As botocore's client takes them.
            keys: Credentials that sign the request. None: it is not signed.

        Raises:
            Refused: STS returned an error.
            Unusable: The answer is not from STS.
            HTTPClientError, ConnectionError: STS was not reached; botocore's errors.
        """
        body = query.encoded(operation, parameters)
        parts: dict[str, Any] = {
            **{"method": "POST", "url_path": "/", "query_string": "", "body": body},
            "headers": {"Content-Type": query.CONTENT_TYPE},
        }
        endpoint = self._endpoint
        prepare_request_dict(parts, endpoint.url, context={}, user_agent=endpoint.user_agent)
        request = create_request_object(parts)
        if keys is not None:
            used = Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
            signer: Any = AUTH_TYPE_MAPS["v4"]
            signer(used, "sts", endpoint.signing_region).add_auth(request)
        try:
            response = self._connections.get().send(request.prepare())
        except botocore.exceptions.ConnectionClosedError as error:
            if any(isinstance(cause, AnswerTooLong) for cause in error.kwargs["error"].args):
                raise answer.Unusable("too long", 0) from None
            raise
        return answer.read(operation, response.status_code, response.headers, response.content)
