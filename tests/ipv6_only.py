"""Runs a command where there is no IPv4: in a network namespace with loopback and IPv6 alone.

`unshare --map-root-user --net python ipv6_only.py COMMAND …`. The loopback device also has the IPv6
address of Google's metadata server. Linux.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

METADATA = "fd20:ce::254"
PROGRAM = Path(__file__).parent / "emulated" / "programs" / "ipv6_only.py"


def prefix() -> list[str]:
    """Return the arguments before a command without IPv4; skip the test where there is none."""
    import pytest  # not for the command below

    command = ["unshare", "--map-root-user", "--net", sys.executable, __file__]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no network without IPv4 here: unshare is missing, or user namespaces are not")
    return command


def run(without_ipv4: list[str], folder: Path, scenario: str, *program: str) -> dict[str, Any]:
    """Return what *scenario* of `PROGRAM` prints, where there is no IPv4.

    Args:
        without_ipv4: The result of `prefix`.
        folder: For temporary files.
        program: What the scenario runs, instead of a program with boto3.
    """
    done = subprocess.run(
        [*without_ipv4, sys.executable, str(PROGRAM), scenario, *program],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def leave_ipv4() -> None:
    """Change the loopback device of this process's namespace."""
    import fcntl  # not on Windows

    # netdevice(7): SIOCSIFFLAGS with IFF_UP; SIOCSIFADDR with 0.0.0.0 removes 127.0.0.1.
    with socket.socket() as device:
        fcntl.ioctl(device, 0x8914, struct.pack("16sH14x", b"lo", 0x1))
        fcntl.ioctl(device, 0x8916, struct.pack("16sH14x", b"lo", socket.AF_INET))
    # netdevice(7): struct in6_ifreq has the address, the length of its prefix, and the device.
    with socket.socket(socket.AF_INET6) as device:
        address = socket.inet_pton(socket.AF_INET6, METADATA)
        request = struct.pack("16sIi", address, 128, socket.if_nametoindex("lo"))
        fcntl.ioctl(device, 0x8916, request)


if __name__ == "__main__":
    leave_ipv4()
    os.execvp(sys.argv[1], sys.argv[1:])
