"""The AWS identity of this machine, whole and fresh, as botocore finds it.

botocore knows what google-auth does not: IRSA, EKS Pod Identity, ECS, SSO, `aws login`, named
profiles, `credential_process`. It is imported when it is needed: keys of the environment, which it
would take first, are read without it, since loading it takes as long as all the rest.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from google.auth.aws import AwsSecurityCredentials

from gcp_aws_bridge._cache.sharing import PROFILE_VARIABLES
from gcp_aws_bridge._wire_logs import wire_logs_silenced
from gcp_aws_bridge.exceptions import BridgeError, TokenError, TokenUnavailable, quoted

# In any region of the public partition, GetCallerIdentity says the same of the same keys; this one
# cannot be disabled (AWS General Reference, "AWS STS endpoints and quotas").
_ANY_REGION = "us-east-1"
# By which a platform says whose a container is (AWS SDKs and Tools reference, "Container credential
# provider").
_CONTAINER_VARIABLES = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


class AwsIdentity:
    """Keys and region to sign with.

    Args:
        session: boto3's or botocore's. None: what the environment says.
    """

    def __init__(self, session: Any = None) -> None:
        self._session = session

    def keys(self) -> AwsSecurityCredentials:
        """One whole set of keys, which botocore has just held to be good.

        Raises:
            TokenUnavailable: There is no AWS identity here.
            TokenError: There is one, and botocore could not get its keys.
        """
        return self._of_environment() or AwsSecurityCredentials(*self.frozen())

    def region(self) -> str:
        """Whose STS is asked who signed: the session's region, or else any."""
        named = self._session is None and _region_of_environment()
        if named and self._of_environment():
            return named
        try:
            configured = self.session().get_config_variable("region")
        except BridgeError:
            raise
        except Exception as error:  # noqa: BLE001 - a profile that is not there, say
            raise refused(error) from None
        return configured or named or _ANY_REGION

    def session(self) -> Any:
        """botocore's session."""
        from gcp_aws_bridge._botocore_session import botocore_session_of
        from gcp_aws_bridge._request import shared_session

        if self._session is None:
            now = Environment.now()
            return shared_session(os.getpid(), (bool(now.key_id), now.workload))
        return botocore_session_of(self._session)

    def frozen(self) -> tuple[str, str, str | None]:
        """Key id, secret and token of the session; errors as above."""
        from gcp_aws_bridge._botocore_session import found_anew

        try:
            with wire_logs_silenced():
                session = self.session()
                # What logs people in writes others into the file. One given is its owner's.
                anew = self._session is None
                credentials = found_anew(session) if anew else session.get_credentials()
                found = credentials and credentials.get_frozen_credentials()
        except BridgeError:
            raise
        except Exception as error:  # noqa: BLE001 - each of botocore's providers has its own
            raise refused(error) from None
        if found is None:
            raise _none()
        return found.access_key, found.secret_key, found.token

    def _of_environment(self) -> AwsSecurityCredentials | None:
        """What botocore takes first, where no session was given (its `EnvProvider`)."""
        environ = os.environ
        key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
        if self._session is not None or not key or not secret:
            return None
        token = environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN")
        return AwsSecurityCredentials(key, secret, token or None)


class Environment(NamedTuple):
    """Whose identity the environment says, so far as it can be seen; no secret is in it."""

    key_id: str | None
    profile: tuple[str | None, ...]
    workload: tuple[str | None, ...]

    @classmethod
    def now(cls) -> Environment:
        """As it is."""
        environ = os.environ
        # Without a token file it is nobody's, or the other direction's.
        is_irsa = bool(environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"))
        role = environ.get("AWS_ROLE_ARN") if is_irsa else None
        return cls(
            environ.get("AWS_ACCESS_KEY_ID"),
            tuple(map(environ.get, PROFILE_VARIABLES)),
            (role, *map(environ.get, _CONTAINER_VARIABLES)),
        )

    def is_still(self, now: Environment) -> bool:
        """Whether it names the same one; other keys in the place of keys are a login renewed."""
        if self.key_id or now.key_id:  # which come first, so that nothing else counts
            return bool(self.key_id and now.key_id)
        return (self.profile, self.workload) == (now.profile, now.workload)


def _none() -> TokenUnavailable:
    seen = "botocore finds no AWS credentials on this machine"
    fix = "give the pod a role (EKS Pod Identity or IRSA), or name a profile with AWS_PROFILE"
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true":
        # botocore does not tell an instance without a role from one that it did not reach.
        seen += ", nor from EC2's metadata service, which it may not have reached"
        fix += "; on EC2, a container needs a hop limit of 2: gcp-aws-bridge doctor --google asks"
    return TokenUnavailable(f"{seen}.", fix=f"{fix}.", error_id="token/aws-none")


def _region_of_environment() -> str | None:
    # botocore reads the second; Lambda and EKS set the first (AWS SDKs and Tools reference).
    return os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")


def refused(error: Exception) -> TokenError:
    """What botocore raised, as ours."""
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

    from gcp_aws_bridge._refusals import is_retryable

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
