"""The AWS identity of this machine, from botocore's credential providers.

Unlike google-auth, botocore supports IRSA, EKS Pod Identity, ECS, SSO, `aws login`, named profiles
and `credential_process`. It is imported only when it is needed: keys in the environment, which come
first, are read without it, since its import takes as long as everything else.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from google.auth.aws import AwsSecurityCredentials

from gcp_aws_bridge._cache.late_patch import of_late_patch
from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced
from gcp_aws_bridge.exceptions import BridgeError, TokenError, TokenUnavailable, quoted
from gcp_aws_bridge.google._environment import AwsEnvironment

# GetCallerIdentity returns the same in all regions of the public partition; this region cannot be
# disabled (AWS General Reference, "AWS STS endpoints and quotas").
_ANY_REGION = "us-east-1"
_NOTHING = AwsEnvironment({})


class AwsIdentity:
    """AWS keys and region for signing.

    Args:
        session: A boto3 or botocore session. None: the identity in the environment.
        environment: A reading of the environment. None: read it now. Ignored with a *session*.
    """

    def __init__(self, session: Any = None, environment: AwsEnvironment | None = None) -> None:
        self._session = session
        self._environment = environment or AwsEnvironment.now() if session is None else _NOTHING

    def keys(self) -> AwsSecurityCredentials:
        """Return a complete set of keys that botocore considers valid.

        Raises:
            TokenUnavailable: This machine has no AWS identity.
            TokenError: botocore could not get the keys of the identity.
        """
        return AwsSecurityCredentials(*self.frozen())

    def region(self) -> str:
        """Return the region of the STS that verifies the signature."""
        named = self._environment.region
        if named and self._environment.keys:
            return named
        try:
            configured = self.session().get_config_variable("region")
        except BridgeError:
            raise
        except Exception as error:  # noqa: BLE001 - for example a missing profile
            raise refused(error) from None
        return configured or named or _ANY_REGION

    def session(self) -> Any:
        """Return the botocore session of the user, or a session for this environment."""
        from gcp_aws_bridge._sts.session_settings import botocore_session_of

        if self._session is None:
            # Not shared with a forked child: botocore may hold a lock during the fork.
            return _session_of(os.getpid(), self._environment)
        return botocore_session_of(self._session)

    def frozen(self) -> tuple[str, str, str | None]:
        """Return access key id, secret key and session token; raises like `keys`."""
        if (keys := self._environment.keys) is not None:
            return keys  # these come first in botocore too (`EnvProvider`)
        from gcp_aws_bridge._sts.session_settings import current_credentials

        try:
            with wire_logs_silenced():
                session = self.session()
                # A login may have written other keys into a file. Do not change a user's session.
                own = self._session is None
                credentials = current_credentials(session) if own else session.get_credentials()
                found = credentials and credentials.get_frozen_credentials()
        except BridgeError:
            raise
        except of_late_patch():
            raise
        except Exception as error:  # noqa: BLE001 - botocore's providers raise different errors
            raise refused(error) from None
        if found is None:
            raise _none()
        return found.access_key, found.secret_key, found.token


def forget_sessions() -> None:
    """Forget all sessions, so that the next exchange looks up its AWS identity again."""
    _session_of.cache_clear()


@lru_cache(maxsize=8)
def _session_of(process: int, environment: AwsEnvironment) -> Any:
    """Return a session that reads *environment* instead of the variables of the process.

    Args:
        process: Id of the process that uses the session.
        environment: The reading of the environment.
    """
    from botocore.credentials import (
        AssumeRoleWithWebIdentityProvider,
        BotoProvider,
        ContainerProvider,
        EnvProvider,
        OriginalEC2Provider,
    )
    from botocore.session import Session

    from gcp_aws_bridge._sts.connection import direct

    config_file, credentials_file = environment.files
    settings: Any = {
        "profile": (None, None, environment.profile, None),
        "config_file": (None, None, config_file, None),
        "credentials_file": (None, None, credentials_file, None),
    }
    session = direct(Session(settings))
    variables: Any = environment.variables()
    profile = environment.profile or "default"

    def config() -> dict[str, Any]:
        profiles = session.full_config.get("profiles", {})
        return {"profiles": {profile: {**profiles.get(profile, {}), **environment.web_identity}}}

    providers = session.get_component("credential_provider").providers
    for index, provider in enumerate(providers):
        kind = type(provider)
        if kind in (BotoProvider, ContainerProvider, EnvProvider, OriginalEC2Provider):
            providers[index] = kind(environ=variables)
        elif kind is AssumeRoleWithWebIdentityProvider:
            providers[index] = kind(config, session.create_client, profile, {}, True)
    return session


def _none() -> TokenUnavailable:
    seen = "botocore finds no AWS credentials on this machine"
    fix = "give the pod a role (EKS Pod Identity or IRSA), or name a profile with AWS_PROFILE"
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true":
        # botocore does not distinguish an instance without a role from an unreachable service.
        seen += ", nor from EC2's metadata service, which it may not have reached"
        fix += (
            "; on EC2, a container needs HttpPutResponseHopLimit=2, which gcp-aws-bridge doctor "
            "--google checks"
        )
    return TokenUnavailable(f"{seen}.", fix=f"{fix}.", error_id="token/aws-none")


def refused(error: Exception) -> TokenError:
    """Return the error of this library for an error of botocore."""
    import botocore.exceptions

    # Messages of botocore contain no secret; other messages may.
    ours = isinstance(error, (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError))
    return TokenError(
        f"botocore has no AWS keys to sign with: {type(error).__name__}"
        + (f" {quoted(error, 300)}." if ours else "."),
        fix="try aws sts get-caller-identity in the same place; gcp-aws-bridge doctor --google "
        "says more.",
        error_id="token/aws-refused",
        retryable=_passes(error),
    )


def _passes(error: BaseException) -> bool:
    """Return whether the same call may succeed later without any change."""
    import botocore.exceptions

    from gcp_aws_bridge._sts.errors import is_retryable

    if isinstance(error, botocore.exceptions.ClientError):
        answer: Any = error.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return is_retryable(answer.get("Error", {}).get("Code", ""), status)
    if isinstance(error, botocore.exceptions.CredentialRetrievalError):
        # Its container provider sets the context; in other cases nothing temporary has happened.
        return error.__context__ is not None and _passes(error.__context__)
    passing = (
        botocore.exceptions.HTTPClientError,
        botocore.exceptions.ConnectionError,
        botocore.exceptions.MetadataRetrievalError,
        OSError,
    )
    # A missing or unreadable program or file is a configuration error.
    lasting = (FileNotFoundError, NotADirectoryError, PermissionError)
    return isinstance(error, passing) and not isinstance(error, lasting)
