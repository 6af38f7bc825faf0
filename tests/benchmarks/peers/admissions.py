"""Creates pods in a burst, as kube-apiserver asks a webhook, and prints the latencies as JSON.

Arguments: URL of the webhook, file of its authority, number of pods, number of connections.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from typing import Any
from urllib.parse import urlsplit


def container(name: str) -> dict[str, Any]:
    """Return a container as the API server completes it."""
    probe = {"httpGet": {"path": "/readyz", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10}
    return {
        "name": name,
        "image": f"registry.example.com/{name}@sha256:{'a' * 64}",
        "env": [{"name": f"VARIABLE_{index}", "value": "value " * 3} for index in range(20)],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "readinessProbe": probe,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def review(number: int) -> bytes:
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"generateName": "etl-5d9c-", "labels": {"app": "etl"}},
        "spec": {
            "volumes": [{"name": "data", "emptyDir": {}}],
            "initContainers": [container("init")],
            "containers": [container("app"), container("proxy")],
            "serviceAccountName": "etl",
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
        },
    }
    request = {
        "uid": f"{number:036d}",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "data",
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": pod,
        "dryRun": False,
    }
    document = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    return json.dumps(document).encode() + b"\n"


async def main() -> None:
    url, authority, pods, connections = sys.argv[1:]
    address = urlsplit(url)
    tls = ssl.create_default_context(cafile=authority)
    bodies = iter([review(number) for number in range(int(pods))])
    latency_us: list[int] = []
    failed = 0

    async def create(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal failed
        for body in bodies:
            started = time.perf_counter()
            writer.write(
                b"POST /mutate?timeout=5s HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n"
                b"Content-Type: application/json\r\n\r\n"
                % (address.netloc.encode(), len(body))
                + body
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
            )
            answer = await reader.readexactly(int(length.partition(b":")[2]))
            latency_us.append(round((time.perf_counter() - started) * 1e6))
            failed += b'"patch":' not in answer
        writer.close()

    opened = [
        await asyncio.open_connection(address.hostname, address.port, ssl=tls)
        for _ in range(int(connections))
    ]
    started = time.perf_counter()
    await asyncio.gather(*(create(*one) for one in opened))
    took_s = time.perf_counter() - started
    print(json.dumps({"latency_us": latency_us, "failed": failed, "took_s": took_s}))


if __name__ == "__main__":
    asyncio.run(main())
