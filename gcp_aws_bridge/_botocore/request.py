"""Request for credentials: the settings of an adapter or a session, and their pickle."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypedDict

import botocore.session
from botocore.session import Session

from gcp_aws_bridge._settings import given
from gcp_aws_bridge._sts.session_settings import role_for
from gcp_aws_bridge._tokens.environment import PROFILE_VARIABLES, aws_files, file_identities
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from gcp_aws_bridge._cache.cache import CredentialCache
    from gcp_aws_bridge._sts.credentials import AwsCredentials
    from gcp_aws_bridge._tokens.default import TokenSource
    from gcp_aws_bridge.config import ChainedRole

    class RoleSettings(TypedDict, total=False):
        """Settings of a `Role` as keyword arguments, except its ARN."""

        audience: str | None
        role_session_name: str | None
        duration_seconds: int | None
        chain: Sequence[str | ChainedRole]
        policy: str | Mapping[str, Any] | None
        policy_arns: Sequence[str]
        sts_regions: Sequence[str]


class Request:
    """A role, its token source, and the session for STS.

    Bound to the environment in which it is created or unpickled.

    Args:
        role: The role.
        token_source: The token source. None: the source that this machine has.
        session: A botocore or aiobotocore session, with the region, profile and proxies for STS.
        is_own: The user passed the session, so that the request cannot be pickled.
        at_least_s: Seconds for which callers need the credentials.
    """

    def __init__(
        self,
        role: Role,
        token_source: TokenSource | None,
        session: Session,
        *,
        is_own: bool = False,
        at_least_s: float = 0.0,
    ) -> None:
        self.at_least_s = at_least_s
        self.role = role
        self.token_source = token_source
        self.session = session
        self.is_own = is_own
        # A process in which no role is configured does without the exchange.
        from gcp_aws_bridge._sts.bound_exchange import BoundExchange

        self._exchange = BoundExchange(token_source, role, session)

    @classmethod
    def of(
        cls,
        role_arn: str | Role | None,
        token_source: TokenSource | None = None,
        *,
        session: Session | None = None,
        is_own: bool = False,
        at_least: float = 0.0,
        **settings: Unpack[RoleSettings],
    ) -> Request:
        """Create a request from arguments, environment and profile.

        Raises:
            ConfigError: No role is configured, or a setting is malformed.
        """
        at_least_s = _seconds(at_least)
        session = session or shared_session()
        role = required_role(session, role_arn, **settings)
        return cls(role, token_source, session, is_own=is_own, at_least_s=at_least_s)

    def cache(self) -> CredentialCache[AwsCredentials]:
        """Return the credential cache that equal requests share."""
        return self._exchange.cache()

    def pickled(self, make: Callable[..., Any], **more: Any) -> tuple[Any, ...]:
        """Return the result of `__reduce__` for an object of `make(role, token_source=…)`."""
        if self.is_own:
            from gcp_aws_bridge._value import not_pickled

            raise not_pickled(
                "An object made with a botocore_session of your own",
                "leave botocore_session out, or make the object in the process that uses it.",
            )
        if self.at_least_s:
            more["at_least"] = self.at_least_s
        return partial(make, token_source=self.token_source, **more), (self.role,)

    def __repr__(self) -> str:
        """Return a text that only equal requests share: fsspec identifies file systems by it."""
        from gcp_aws_bridge._cache.identity import name_of  # rarely needed

        source = self.token_source
        given = "" if source is None else f", token_source={name_of(source)}"
        given += f", at_least={self.at_least_s:g}" if self.at_least_s else ""
        return f"{self.role!r}{given}, environment={self._exchange.environment}"


class Adapter:
    """Base class of adapters: credentials for another SDK, which pickle as settings.

    Args:
        role_arn: See `gcp_aws_bridge.session`, also for *token_source* and the settings
            (`audience`, `role_session_name`, `duration_seconds`, `chain`, `policy`, `policy_arns`,
            `sts_regions`).
        at_least: Seconds for which the SDK needs the credentials, for example for presigned URLs;
            limited to 90 % of the session's lifetime.

    Raises:
        ConfigError: No role is configured, or a setting is malformed.
    """

    def __init__(
        self,
        role_arn: str | Role | None = None,
        *,
        token_source: TokenSource | None = None,
        at_least: float = 0.0,
        **settings: Unpack[RoleSettings],
    ) -> None:
        self._request = Request.of(role_arn, token_source, at_least=at_least, **settings)
        self._at_least_s = self._request.at_least_s
        self._cache = self._request.cache()

    def __reduce__(self) -> tuple[Any, ...]:
        return self._request.pickled(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({self._request!r})"

    def __dask_tokenize__(self) -> str:
        """Return the `repr` for Dask, which would otherwise use the pickle."""
        return repr(self)


def _seconds(at_least: object) -> float:
    if isinstance(at_least, bool) or not isinstance(at_least, (int, float)) or not at_least >= 0:
        raise ConfigError(
            f"at_least is {quoted(at_least)} ({type(at_least).__name__}); it is a number of "
            "seconds, zero or more.",
            fix="pass the seconds for which the credentials are needed; the limit is 90 % of the "
            "session's lifetime.",
            error_id="config/at-least",
        )
    return float(at_least)


def required_role(session: Session, role: str | Role | None, **settings: Any) -> Role:
    """Return the role from arguments, environment and the session's profile.

    Raises:
        ConfigError: No role is configured, or a setting is malformed.
    """
    if isinstance(role, Role) and (extra := given(settings)):
        raise ConfigError(
            f"A Role was passed together with {', '.join(sorted(extra))}.",
            fix="put the settings into the Role: dataclasses.replace(role, …).",
            error_id="config/role-and-settings",
        )
    found = role_for(session, role, **settings)
    if found is None:
        raise ConfigError(
            "No role is configured: role_arn was not given, GCP_AWS_BRIDGE_ROLE_ARN and "
            "AWS_ROLE_ARN are not set, and the AWS profile has no gcp_role_arn.",
            fix='bridge.session("arn:aws:iam::123456789012:role/etl"), or set '
            "GCP_AWS_BRIDGE_ROLE_ARN.",
            error_id="config/no-role",
        )
    return found


@without_inner_frames  # the environment may hold keys
def shared_session() -> Session:
    """Return the session that all requests without a session share.

    It is a new session if the environment names another profile or other files, or if these files
    have changed: botocore reads them only once.
    """
    environ = os.environ
    return _shared_session(
        *map(environ.get, PROFILE_VARIABLES), file_identities(*aws_files(environ))
    )


@lru_cache(maxsize=8)
def _shared_session(*choice: Hashable) -> Session:
    from gcp_aws_bridge._sts.connection import direct

    return direct(botocore.session.get_session())
