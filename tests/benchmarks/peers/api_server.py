"""A Kubernetes API server with one service account. Prints the variable that leads to it.

Argument: the folder for the configuration file.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubernetes_api import KubernetesApi

ROLE = {"gcp-aws-bridge/role-arn": "arn:aws:iam::123456789012:role/etl"}


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with KubernetesApi() as api:
        api.accounts["data", "etl"] = ROLE
        print(f"KUBECONFIG={api.kubeconfig(Path(sys.argv[1]))}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
