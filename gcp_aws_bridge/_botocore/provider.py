"""The provider in botocore's credential chain that exchanges Google ID tokens."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.credentials import CredentialProvider
from botocore.session import Session

from gcp_aws_bridge._botocore.credentials import (
    METHOD,
    BridgeCredentials,
    CachedCredentials,
    for_botocore,
)
from gcp_aws_bridge._botocore.request import Request
from gcp_aws_bridge._botocore.retry_rejected import watch
from gcp_aws_bridge._sts.session_settings import role_for
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import BridgeError, TokenUnavailable, as_cause

if TYPE_CHECKING:
    from gcp_aws_bridge._tokens.default import TokenSource

_log = logging.getLogger("gcp_aws_bridge")


class Given(CredentialProvider):
    """The only provider of a session: returns the credentials that it was made with."""

    METHOD = METHOD
    CANONICAL_NAME = "customGoogleWebIdentityGiven"

    def __init__(self, given: CachedCredentials) -> None:
        super().__init__()
        self._given = given

    def load(self) -> CachedCredentials:
        # botocore is making a client, which takes longer than the exchange does.
        self._given.warm_up()
        return self._given


class GoogleWebIdentityProvider(CredentialProvider):
    """Provider that exchanges a Google ID token for AWS credentials.

    Args:
        session: Its settings and its STS endpoint are used.
        role: None: the environment and the profile name it; they are read with each request.
    """

    METHOD = METHOD
    CANONICAL_NAME = "customGoogleWebIdentity"  # botocore: others must start with "custom"

    def __init__(
        self,
        session: Session,
        role: Role | str | None = None,
        token_source: TokenSource | None = None,
    ) -> None:
        super().__init__(session)
        self._role = role
        self._source = token_source

    def load(self) -> BridgeCredentials | None:
        """Return credentials, or None without a role or without a Google identity.

        Raises:
            CredentialRetrievalError: There is a Google identity, and the exchange failed.
        """
        with self.chained():
            if request := self.request():
                request.cache().get()  # now: later, botocore cannot ask the next provider
                watch(self.session)
                return BridgeCredentials(request)
        return None

    def request(self) -> Request | None:
        """Return which credentials this session needs, or None if no role is configured."""
        role = role_for(self.session, self._role)
        if role is None:
            _log.debug("no role is configured for %s: next provider", METHOD)
            return None
        return Request(role, self._source, self.session, is_own=True)

    @contextmanager
    def chained(self) -> Iterator[None]:
        """Convert errors for botocore's chain; suppress those that let the chain continue."""
        try:
            yield
        except TokenUnavailable as error:
            from gcp_aws_bridge._tokens.metadata import looks_like_google

            # Falling through is expected on a laptop; in a pod it signals a misconfiguration.
            level = logging.WARNING if looks_like_google() else logging.DEBUG
            _log.log(level, "no Google identity here: next provider. %s", error)
        except BridgeError as error:
            raise for_botocore(error) from as_cause(error)
