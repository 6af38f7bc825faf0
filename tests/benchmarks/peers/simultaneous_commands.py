"""N simultaneous `credential-process`, without a cache: `simultaneous_commands.py N`."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter

import botocore.session
from simulated import connect

PROCESSES = int(sys.argv[1])
# The first exchange must not end before the last process has started.
STS_LATENCY_S = 0.4


def valid(answer: bytes) -> bool:
    """Return whether STS knows the credentials, as those of the role."""
    found = json.loads(answer)
    sts = botocore.session.get_session().create_client(
        "sts",
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["SessionToken"],
    )
    role = os.environ["AWS_ROLE_ARN"].rpartition("/")[2]
    return found["Version"] == 1 and f":assumed-role/{role}/" in sts.get_caller_identity()["Arn"]


clouds = connect()
clouds("sts_latency", seconds=STS_LATENCY_S)
with tempfile.TemporaryDirectory() as empty:
    command = ["gcp-aws-bridge", "credential-process", "--cache-dir", empty]
    started = time.perf_counter()
    children = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    assert all(child.poll() is None for child in children), (
        "not simultaneous: one process has ended"
    )
    answers = Counter(child.communicate(timeout=60)[0] for child in children)
    took_s = time.perf_counter() - started
counts = clouds("counts")
answer, alike = answers.most_common(1)[0]
print(
    json.dumps(
        {
            "alike": alike if valid(answer) else 0,
            "took_s": took_s,
            "sts": counts["sts"],
            "metadata": counts["metadata"],
        }
    )
)
