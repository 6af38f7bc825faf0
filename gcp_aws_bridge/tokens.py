"""Token sources: where a Google ID token comes from.

A token source is any callable that takes nothing and returns a fresh ID token as a string:
`Callable[[], str]`. It does not cache; the library calls it once for each exchange. The classes
here are settings with a `__call__`: equal ones share credentials, they pickle, and their `repr`
holds no secret.
"""

from gcp_aws_bridge._tokens.default import DefaultSource, TokenSource
from gcp_aws_bridge._tokens.google_auth import GoogleCredentials
from gcp_aws_bridge._tokens.metadata import MetadataServer
from gcp_aws_bridge._tokens.token_file import TokenFile

__all__ = ["DefaultSource", "GoogleCredentials", "MetadataServer", "TokenFile", "TokenSource"]
