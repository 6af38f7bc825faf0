"""The AWS identity of this machine, whole and fresh, as botocore finds it.

botocore knows what google-auth does not: IRSA, EKS Pod Identity, ECS, SSO, `aws login`, named
profiles, `credential_process`. It is imported when it is needed: keys of the environment, which it
would take first, are read without it, since loading it takes as long as all the rest.
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

# In any region of the public partition, GetCallerIdentity says the same of the same keys; this one
# cannot be disabled (AWS General Reference, "AWS STS endpoints and quotas").
_ANY_REGION = "us-east-1"
_NOTHING = AwsEnvironment({})


class AwsIdentity:
    """Keys and region to sign with.

    Args:
        session: boto3's or botocore's. None: what the environment says.
        environment: A reading of the environment. None: one that is made now. With a *session*
            it does not matter.
    """

    def __init__(self, session: Any = None, environment: AwsEnvironment | None = None) -> None:
        self._session = session
        self._environment = environment or AwsEnvironment.now() if session is None else _NOTHING

    def keys(self) -> AwsSecurityCredentials:
        """Return one whole set of keys, which botocore considers valid now.

        Raises:
            TokenUnavailable: There is no AWS identity here.
            TokenError: There is one, and botocore could not get its keys.
        """
        return AwsSecurityCredentials(*self.frozen())

    def region(self) -> str:
        """Return the region whose STS is asked who signed: the session's, or else any."""
        named = self._environment.region
        if named and self._environment.keys:
            return named
        try:
            configured = self.session().get_config_variable("region")
        except BridgeError:
            raise
        except Exception as error:  # noqa: BLE001 - a profile that is not there, say
            raise refused(error) from None
        return configured or named or _ANY_REGION

    def session(self) -> Any:
        """Return botocore's session: the one that was given, or one for this environment alone."""
        from gcp_aws_bridge._sts.session_settings import botocore_session_of

        if self._session is None:
            # A lock of botocore's may be held when a child is forked, so none is shared with it.
            return _session_of(os.getpid(), self._environment)
        return botocore_session_of(self._session)

    def frozen(self) -> tuple[str, str, str | None]:
        """Return access key id, secret and session token; errors as of `keys`."""
        if (keys := self._environment.keys) is not None:
            return keys  # what botocore takes first (its `EnvProvider`)
        from gcp_aws_bridge._sts.session_settings import found_anew

        try:
            with wire_logs_silenced():
                session = self.session()
                # A login writes other keys into the file. A session that was given is its owner's.
                again = self._session is None
                credentials = found_anew(session) if again else session.get_credentials()
                found = credentials and credentials.get_frozen_credentials()
        except BridgeError:
            raise
        except of_late_patch():
            raise
        except Exception as error:  # noqa: BLE001 - each of botocore's providers has its own
            raise refused(error) from None
        if found is None:
            raise _none()
        return found.access_key, found.secret_key, found.token


def forget_sessions() -> None:
    """Have the next exchange find its AWS identity again."""
    _session_of.cache_clear()


@lru_cache(maxsize=8)
def _session_of(process: int, environment: AwsEnvironment) -> Any:
    """Return a session that reads *environment*, whatever is set when it is used.

    Args:
        process: The process that uses it.
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
        # botocore does not tell an instance without a role from one that it did not reach.
        seen += ", nor from EC2's metadata service, which it may not have reached"
        fix += "; on EC2, a container needs a hop limit of 2: gcp-aws-bridge doctor --google asks"
    return TokenUnavailable(f"{seen}.", fix=f"{fix}.", error_id="token/aws-none")


def refused(error: Exception) -> TokenError:
    """Return what botocore raised as an error of this library."""
    import botocore.exceptions

    # botocore's own words, which name no secret but may quote an answer.
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
    """Whether the same may succeed later without anybody changing anything."""
    import botocore.exceptions

    from gcp_aws_bridge._sts.errors import is_retryable

    if isinstance(error, botocore.exceptions.ClientError):
        answer: Any = error.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return is_retryable(answer.get("Error", {}).get("Code", ""), status)
    if isinstance(error, botocore.exceptions.CredentialRetrievalError):
        # What its container provider met; others of that name have met nothing that passes.
        return error.__context__ is not None and _passes(error.__context__)
    passing = (
        botocore.exceptions.HTTPClientError,
        botocore.exceptions.ConnectionError,
        botocore.exceptions.MetadataRetrievalError,
        OSError,
    )
    # A program or a file that is not there, or not to be read, is somebody's to mend.
    lasting = (FileNotFoundError, NotADirectoryError, PermissionError)
    return isinstance(error, passing) and not isinstance(error, lasting)
