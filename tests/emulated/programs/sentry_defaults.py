"""A program that reports errors with sentry_sdk: `MODE ROLE` as arguments; prints the events."""

import json
import sys
import threading

import botocore.credentials
import botocore.session
import sentry_sdk

import gcp_aws_bridge as bridge

mode, role = sys.argv[1:]
events = []
settings = {"include_local_variables": False} if mode.endswith("without-locals") else {}
sentry_sdk.init(
    dsn="http://k@127.0.0.1:9/1",
    before_send=lambda event, hint: events.append(event),
    **settings,
)


def source():
    token = bridge.MetadataServer(audience="sts.amazonaws.com")()
    raise RuntimeError("an error of the user", len(token))


def hook(**_):
    raise KeyboardInterrupt if mode == "interrupt" else RuntimeError("apm")


def use(frozen):
    raise LookupError("anything")


session = botocore.session.get_session()
if mode in ("hook", "interrupt"):
    session.register("after-call.sts", hook)
made = bridge.credentials(
    role, token_source=source if mode == "source" else None, botocore_session=session
)
# Sentry reports a thread's error before this hook would print it.
threading.excepthook = lambda args: None
try:
    if mode == "values":
        use(made.get_frozen_credentials())
    elif mode.startswith("botocore"):
        use(botocore.credentials.ReadOnlyCredentials(*made.get_frozen_credentials()))
    else:
        made.get_frozen_credentials()
except BaseException as error:  # noqa: BLE001 - as a user's program does
    sentry_sdk.capture_exception(error)
sentry_sdk.flush(0)
print(json.dumps(events, default=str))
