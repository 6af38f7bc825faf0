"""Check of a Google service account's name before it becomes a part of a URL."""

from __future__ import annotations

import re

from gcp_aws_bridge.exceptions import ConfigError, quoted

# IAM API, projects.serviceAccounts: the e-mail, or the unique id of 21 digits. Characters with a
# meaning in a URL (%, ?, #, /) could select another account or method.
_EMAIL = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,8}"
_FORM = re.compile(rf"{_EMAIL}|[0-9]{{21}}")


def require_service_account(name: object) -> None:
    """Check that *name* is an e-mail or a unique id.

    Raises:
        ConfigError: *name* is neither.
    """
    if not isinstance(name, str) or _FORM.fullmatch(name) is None:
        raise ConfigError(
            f"The service account {quoted(name)} is not an e-mail.",
            fix="give NAME@PROJECT.iam.gserviceaccount.com.",
            error_id="config/google-service-account",
        )
