"""`leaving.py ROLE`: the process ends, or is interrupted, while STS does not answer."""

import atexit
import sys
import threading

import gcp_aws_bridge as bridge

role, how = sys.argv[1:]
credentials = bridge.credentials(role)


class AtTheEnd:
    def __del__(self):
        credentials.access_key  # noqa: B018 - a destructor that signs something


if how == "after-warm-up":
    bridge.session(role).client(
        "s3", region_name="eu-west-1"
    )  # starts an exchange in the background
    print("asking", flush=True)
elif how == "signing-at-exit":
    credentials.get_frozen_credentials()
    atexit.register(credentials.get_frozen_credentials)
    keep = AtTheEnd()
    print("done", flush=True)
elif how == "waiting":
    threading.Timer(0.5, lambda: print("asking", flush=True)).start()
    try:
        credentials.get_frozen_credentials()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
