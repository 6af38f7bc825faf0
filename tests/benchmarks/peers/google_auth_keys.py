"""google-auth's own support for AWS: keys in the environment for a Google token."""

import os

from google.auth import aws
from google.auth.transport.requests import Request

credentials = aws.Credentials.from_file(
    os.environ["GOOGLE_APPLICATION_CREDENTIALS"],
    scopes=["https://www.googleapis.com/auth/cloud-platform"],
)
headers: dict[str, str] = {}
credentials.before_request(Request(), "GET", "https://storage.googleapis.com/", headers)
assert headers["authorization"].startswith("Bearer ya29.")
