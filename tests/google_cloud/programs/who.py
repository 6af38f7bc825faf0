"""Prints the identity that google-auth finds on this machine."""

import google.auth
from google.auth.transport.requests import Request
from google.oauth2 import id_token

request = Request()
credentials, project = google.auth.default()
credentials.refresh(request)
print(credentials.service_account_email, project, credentials.token)
print(id_token.fetch_id_token(request, "https://orders.example"))
