"""A process with an STS client of botocore that does nothing. Ends at SIGTERM."""

import signal
import sys

import botocore.session

client = botocore.session.get_session().create_client("sts")
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
print(f"ENDPOINT={client.meta.endpoint_url}", flush=True)
signal.pause()
