"""A process that can speak to STS and does nothing: botocore, one client. Ends at SIGTERM."""

import signal
import sys

import botocore.session

client = botocore.session.get_session().create_client("sts")
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
print(f"ENDPOINT={client.meta.endpoint_url}", flush=True)
signal.pause()
