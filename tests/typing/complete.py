"""Fails if pyright finds a public name whose type is unknown or inferred ambiguously."""

from __future__ import annotations

import json
import subprocess
import sys

COMMAND = ["pyright", "--verifytypes", "gcp_aws_bridge", "--ignoreexternal", "--outputjson"]
# Airflow and Beam are too large to install for their base classes.
UNKNOWN = {
    "gcp_aws_bridge.adapters.airflow.SessionFactory",
    "gcp_aws_bridge.adapters.beam.BridgeOptions",
    "gcp_aws_bridge.adapters.beam.BridgePlugin",
}

answer = subprocess.run(COMMAND, stdout=subprocess.PIPE, check=False).stdout
symbols = json.loads(answer)["typeCompleteness"]["symbols"]
public = {each["name"]: each for each in symbols if each["isExported"]}
doubtful = {
    name for name, each in public.items() if each["isTypeAmbiguous"] or not each["isTypeKnown"]
}
print(f"{len(public)} public names; not known: {', '.join(sorted(doubtful)) or 'none'}")
sys.exit(not public or bool(doubtful - UNKNOWN))
