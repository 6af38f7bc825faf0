"""Developers' machines that are signed in to AWS, against the emulator.

Writes what `aws sso login` and `aws login` leave in the home directory. The file names are the ones
that botocore's `SSOTokenLoader` and `LoginTokenLoader` read.
"""

from __future__ import annotations

import configparser
import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.emulator.clock import iso
from gcp_aws_bridge.emulator.estate import REGION, written

from .identity_center import Sso
from .signin import CLIENT_ID, Signin

__all__ = ["Laptop"]

_PROFILE = "work"
_START_URL = "https://example.awsapps.com/start"


class Laptop:
    """A developer's machine.

    Args:
        cloud: The emulated clouds. Both services start with them, stop with them and are reset
            with them.
    """

    def __init__(self, cloud: Emulator) -> None:
        self._cloud = cloud

    @property
    def sso(self) -> Sso:
        """The access portal of IAM Identity Center; started on first use."""
        cloud = self._cloud
        return cloud._lazily(Sso, lambda: Sso(cloud._accounts, cloud._now))

    @property
    def signin(self) -> Signin:
        """AWS Sign-In; started on first use."""
        cloud = self._cloud
        return cloud._lazily(Signin, lambda: Signin(cloud._accounts, cloud._now))

    def sso_profile(self, role_arn: str, folder: str | os.PathLike[str]) -> dict[str, str]:
        """Return the environment after a sign-in with `aws sso login`.

        `folder` becomes the home directory: botocore reads the token there.

        Raises:
            ValueError: The role does not exist.
        """
        role = self._cloud._role(role_arn)
        self.sso.assign(role)
        token, ends = self.sso.sign_in()
        cached = {
            "startUrl": _START_URL,
            "region": REGION,
            "accessToken": token,
            "expiresAt": iso(ends),
        }
        name = hashlib.sha1(_PROFILE.encode(), usedforsecurity=False).hexdigest()
        written(Path(folder) / ".aws/sso/cache" / f"{name}.json", json.dumps(cached))
        profile = {
            "sso_session": _PROFILE,
            "sso_account_id": role.account,
            "sso_role_name": role.name,
        }
        session = {
            "sso_region": REGION,
            "sso_start_url": _START_URL,
            "sso_registration_scopes": "sso:account:access",
        }
        sections = {f"profile {_PROFILE}": profile, f"sso-session {_PROFILE}": session}
        return self._at_home(folder, sections, AWS_ENDPOINT_URL_SSO=self.sso.url)

    def login_profile(
        self, role_arn: str, folder: str | os.PathLike[str], *, name: str = "dev"
    ) -> dict[str, str]:
        """Return the environment after a sign-in with `aws login`.

        `folder` becomes the home directory. botocore needs its extra `crt` for this.

        Args:
            role_arn: The role that the developer uses in the console.
            folder: Directory for the files, which only their owner can read.
            name: Session name.

        Raises:
            ValueError: The role does not exist.
        """
        role = self._cloud._role(role_arn)
        private_key = ec.generate_private_key(ec.SECP256R1())
        key, refresh_token = self.signin.sign_in(role, name, private_key.public_key())
        cached = {
            "accessToken": {
                "accessKeyId": key.access_key_id,
                "secretAccessKey": key.secret_access_key,
                "sessionToken": key.session_token,
                "accountId": role.account,
                "expiresAt": iso(key.expiration or self._cloud._now()),
            },
            "clientId": CLIENT_ID,
            "dpopKey": private_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ).decode(),
            "refreshToken": refresh_token,
            "tokenType": "aws_sigv4",
        }
        session = key.caller.arn
        digest = hashlib.sha256(session.encode()).hexdigest()
        path = Path(folder) / ".aws/login/cache" / f"{digest}.json"
        written(path, json.dumps(cached))
        return self._at_home(
            folder,
            {f"profile {_PROFILE}": {"login_session": session}},
            AWS_LOGIN_CACHE_DIRECTORY=str(path.parent),
            AWS_ENDPOINT_URL_SIGNIN=self.signin.url,
        )

    def _at_home(
        self,
        folder: str | os.PathLike[str],
        sections: Mapping[str, Mapping[str, str]],
        **more: str,
    ) -> dict[str, str]:
        config, text = configparser.ConfigParser(), io.StringIO()
        config.read_dict(sections)
        config[f"profile {_PROFILE}"]["region"] = REGION
        config.write(text)
        home = Path(folder)
        return {
            **self._cloud._aws_environ(),
            "HOME": str(home),
            "USERPROFILE": str(home),
            "AWS_CONFIG_FILE": written(home / ".aws/config", text.getvalue()),
            "AWS_PROFILE": _PROFILE,
            **more,
        }
