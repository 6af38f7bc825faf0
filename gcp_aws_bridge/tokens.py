"""Token sources, which return Google ID tokens.

A token source is any callable without arguments that returns a fresh ID token as a string:
`Callable[[], str]`. It does not cache; the library calls it once for each exchange. The classes in
this module are settings with a `__call__`: equal instances share credentials, they pickle, and
their `repr` contains no secret.
"""

from gcp_aws_bridge._tokens.default import DefaultSource, TokenSource
from gcp_aws_bridge._tokens.google_auth import GoogleCredentials
from gcp_aws_bridge._tokens.metadata_server import MetadataServer
from gcp_aws_bridge._tokens.token_file import TokenFile

__all__ = ["DefaultSource", "GoogleCredentials", "MetadataServer", "TokenFile", "TokenSource"]
