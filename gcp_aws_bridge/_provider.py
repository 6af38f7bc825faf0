"""The link of botocore's credential chain where a Google identity becomes AWS credentials."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.credentials import CredentialProvider
from botocore.session import Session

from gcp_aws_bridge._botocore_credentials import METHOD, BridgeCredentials, CellView, for_botocore
from gcp_aws_bridge._botocore_session import role_for
from gcp_aws_bridge._default_source import TokenSource
from gcp_aws_bridge._metadata import looks_like_google
from gcp_aws_bridge._rejected import watch
from gcp_aws_bridge._request import Request
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import BridgeError, TokenUnavailable, as_cause

_log = logging.getLogger("gcp_aws_bridge")


class Given(CredentialProvider):
    """A chain of one link: these credentials."""

    METHOD = METHOD
    CANONICAL_NAME = "customGoogleWebIdentityGiven"

    def __init__(self, given: CellView) -> None:
        super().__init__()
        self._given = given

    def load(self) -> CellView:
        # A client is being made, which takes botocore longer than the exchange takes the network.
        self._given.warm_up()
        return self._given


class GoogleWebIdentityProvider(CredentialProvider):
    """The place in botocore's chain where a Google identity becomes AWS credentials.

    Args:
        session: Whose settings and STS endpoint are used.
        role: None: environment and profile say, each time they are asked.
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
        """Credentials; None where no role is configured or this machine has no Google identity.

        Raises:
            CredentialRetrievalError: There is a Google identity, and it was refused.
        """
        with self.chained():
            if request := self.request():
                request.cell().get()  # now, since only now can the chain still go on
                watch(self.session)
                return BridgeCredentials(request)
        return None

    def request(self) -> Request | None:
        """What is wanted of this session; None where no role is configured."""
        role = role_for(self.session, self._role)
        if role is None:
            _log.debug("no role is configured for %s: next provider", METHOD)
            return None
        return Request(role, self._source, self.session, is_own=True)

    @contextmanager
    def chained(self) -> Iterator[None]:
        """Errors as a chain takes them; left without one where the next provider is to be asked."""
        try:
            yield
        except TokenUnavailable as error:
            # Falling through is a laptop's way; a pod that has lost its identity wants to know.
            level = logging.WARNING if looks_like_google() else logging.DEBUG
            _log.log(level, "no Google identity here: next provider. %s", error)
        except BridgeError as error:
            raise for_botocore(error) from as_cause(error)
