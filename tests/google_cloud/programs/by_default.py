"""Clients of five libraries that find their credentials by `google.auth.default`.

For each line of standard input, each client makes a request. The answer has the projects. A file
sets the clock of the cached tokens. `install` is called after the libraries have imported
`default`, by name or not.
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import gcsfs
import pandas_gbq
from google.auth import default
from google.cloud import bigquery, pubsub_v1, storage
from google.pubsub_v1 import PublisherClient

import gcp_aws_bridge.google
from gcp_aws_bridge._cache.clock import World, utc_now
from gcp_aws_bridge._cache.sharing import registry

AHEAD = Path(os.environ["AHEAD_FILE"])


def ahead_s() -> float:
    return float(AHEAD.read_text(encoding="utf-8"))


registry.world = World(
    clock=lambda: utc_now() + timedelta(seconds=ahead_s()),
    monotonic=lambda: time.monotonic() + ahead_s(),
)
# All that differs from Google Cloud: where it is. BIGQUERY_EMULATOR_HOST and API_ENDPOINT_OVERRIDE
# are variables of the libraries.
PublisherClient._DEFAULT_ENDPOINT_TEMPLATE = os.environ["PUBSUB"]
gcsfs.GCSFileSystem.on_google = True

gcp_aws_bridge.google.install()

blobs = storage.Client()
queries = bigquery.Client()
topics = pubsub_v1.PublisherClient()
files = gcsfs.GCSFileSystem(endpoint_url=os.environ["API_ENDPOINT_OVERRIDE"])
credentials, project = default(scopes=["https://www.googleapis.com/auth/cloud-platform"])

for number, line in enumerate(sys.stdin):
    blobs.bucket("bucket").blob("word").upload_from_string(line)
    assert [1] == [row.one for row in queries.query("SELECT 1").result()]
    assert [1] == [*pandas_gbq.read_gbq("SELECT 1", progress_bar_type=None).one]
    topics.create_topic(name=f"projects/{project}/topics/orders-{number}")
    assert line.encode() == files.cat("bucket/word")
    headers: dict[str, str] = {}
    credentials.before_request(None, "GET", "https://storage.googleapis.com/", headers)
    print(project, queries.project, blobs.project, files.project, flush=True)
