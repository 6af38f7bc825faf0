"""The same program with `google.credentials`."""

from gcp_aws_bridge import google

credentials = google.credentials()
headers: dict[str, str] = {}
credentials.before_request(None, "GET", "https://storage.googleapis.com/", headers)
assert headers["authorization"].startswith("Bearer ya29.")
