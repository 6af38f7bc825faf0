"""`unshare --net python loopback.py COMMAND …`: run it where there is no network but loopback.

object_store and the AWS SDK for C++ ask 169.254.169.254 of their own accord when they find nothing
else; here no server answers, on any machine. Linux.
"""

import fcntl
import os
import socket
import struct
import sys

# netdevice(7): SIOCSIFFLAGS with IFF_UP.
with socket.socket() as any_socket:
    request = struct.pack("16sH14x", b"lo", 0x1)
    fcntl.ioctl(any_socket, 0x8914, request)
os.execvp(sys.argv[1], sys.argv[1:])
