"""Reads the files of `trust-policy`: policies, tokens, claims and keys."""

from __future__ import annotations

import json

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from typing import Any

# Far more than the size of any policy or token.
_MOST_CHARACTERS = 1_000_000


def account_of(path: str) -> tuple[str, str]:
    """Return number and e-mail address of the account of a key file."""
    from gcp_aws_bridge.exceptions import ConfigError, quoted

    try:
        key = json.loads(read_text(path))
    except (ValueError, RecursionError):
        key = None
    number, email = (
        key.get(name) if isinstance(key, dict) and key.get("type") == "service_account" else None
        for name in ("client_id", "client_email")
    )
    if not isinstance(number, str) or not isinstance(email, str):
        raise ConfigError(
            f"{quoted(path)} is not the JSON key of a service account.",
            fix="pass the file that gcloud iam service-accounts keys create wrote.",
            error_id="config/input-file",
        )
    return number, email


def claims_in(path: str) -> dict[str, Any]:
    """Return the claims of the token in a file, which may have expired."""
    from gcp_aws_bridge._tokens import id_token
    from gcp_aws_bridge.exceptions import ConfigError, quoted

    if path.count(".") == 2 and path.startswith("eyJ"):
        raise ConfigError(
            "An ID token is on the command line, which every user of this machine can read.",
            fix="write it to a file and pass its name, or pipe it: gcp-aws-bridge token | "
            "gcp-aws-bridge trust-policy check POLICY --token-file -",
            error_id="config/token-on-command-line",
        )
    token = id_token.parse(read_text(path), origin=f"The file {quoted(path)}")
    return id_token.claims_of(token)


def claims_from_json(text: str, path: str) -> Any:
    from gcp_aws_bridge.exceptions import ConfigError, quoted

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(
            f"{quoted(path)} is not JSON.",
            fix="pass the claims of an ID token as a JSON object; for a token, use --token-file.",
            error_id="config/claims",
        ) from None


def read_text(path: str) -> str:
    from gcp_aws_bridge.exceptions import ConfigError, quoted

    try:
        # The number of standard input, for the same decoding; utf-8-sig: some editors add a BOM.
        with open(0 if path == "-" else path, encoding="utf-8-sig", closefd=path != "-") as file:
            text = file.read(_MOST_CHARACTERS + 1)
    except OSError as error:
        problem = str(error.strerror)
    except ValueError:
        problem = "it is not UTF-8 text"
    else:
        if len(text) <= _MOST_CHARACTERS:
            return text
        problem = f"it has more than {_MOST_CHARACTERS:,} characters"
    raise ConfigError(
        f"{quoted(path)} cannot be read: {problem}.",
        fix="pass a file, or - for standard input.",
        error_id="config/input-file",
    )
