"""People at their own machines, as their home directory shows them: signed in to AWS.

What `aws sso login` and `aws login` leave behind, written to a folder that becomes the home
directory; the names of files are those that botocore looks for (`SSOTokenLoader`,
`LoginTokenLoader`).
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

from .aws_side import AwsSide
from .clock import iso
from .estate import REGION, written
from .signin import CLIENT_ID, Signin
from .sso import Sso

__all__ = ["Laptop"]

_PROFILE = "work"
_START_URL = "https://example.awsapps.com/start"


class Laptop(AwsSide):
    """Where people run programs who have signed in."""

    @property
    def sso(self) -> Sso:
        """IAM Identity Center's portal; started when it is first asked for."""
        return self._lazily(Sso, lambda: Sso(self._accounts, self._now))

    @property
    def signin(self) -> Signin:
        """AWS Sign-In; started when it is first asked for."""
        return self._lazily(Signin, lambda: Signin(self._accounts, self._now))

    def sso_profile(self, role_arn: str, folder: str | os.PathLike[str]) -> dict[str, str]:
        """Return the environment of somebody who has signed in at IAM Identity Center.

        `folder` becomes the home directory: botocore reads the token from there.

        Raises:
            ValueError: There is no such role.
        """
        role = self._role(role_arn)
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
        """Return the environment of somebody who has signed in by `aws login`.

        `folder` becomes the home directory. botocore needs its extra `crt` for this.

        Args:
            role_arn: The role that they have in the console.
            folder: Where the files go, with access for their owner only.
            name: Of their sessions.

        Raises:
            ValueError: There is no such role.
        """
        role = self._role(role_arn)
        private_key = ec.generate_private_key(ec.SECP256R1())
        key, refresh_token = self.signin.sign_in(role, name, private_key.public_key())
        cached = {
            "accessToken": {
                "accessKeyId": key.access_key_id,
                "secretAccessKey": key.secret_access_key,
                "sessionToken": key.session_token,
                "accountId": role.account,
                "expiresAt": iso(key.expiration or self._now()),
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
            **self._aws_environ(),
            "HOME": str(home),
            "USERPROFILE": str(home),
            "AWS_CONFIG_FILE": written(home / ".aws/config", text.getvalue()),
            "AWS_PROFILE": _PROFILE,
            **more,
        }
