"""The real AWS CLI, imported once: each command is a fork of this process, on the caller's files.

A script of `setup` runs dozens of commands, and the CLI takes most of a second to be imported.
`python aws_at_hand.py SOCKET` serves; the program `aws` that a test puts into its PATH is `CLIENT`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback

CLIENT = """\
#!{python} -IS
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({path!r})
    files = array.array("i", [0, 1, 2])
    asked = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
    server.sendmsg([len(asked).to_bytes(4, "big")], ancillary)
    server.sendall(asked)
    sys.exit(server.recv(1)[0])
"""


def serve(path: str) -> None:
    """Answer until this process is ended."""
    from awscli.clidriver import create_clidriver

    create_clidriver()  # what it imports late, too
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        while True:
            caller, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                answer(caller)
            caller.close()
            while _reaped():
                pass


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def answer(caller: socket.socket) -> None:
    """Be the command that *caller* asks for, and tell it the exit status."""
    from awscli.clidriver import main

    length, files, _, _ = socket.recv_fds(caller, 4, 3)
    text = b""
    while len(text) < int.from_bytes(length, "big"):
        text += caller.recv(65536)
    arguments, environ, folder = json.loads(text)
    for number, file in enumerate(files):
        os.dup2(file, number)
    data = os.environ["AWS_DATA_PATH"]  # the CLI sets it when it is imported
    os.environ.clear()
    os.environ.update(environ, AWS_DATA_PATH=data)
    os.chdir(folder)
    sys.argv = ["aws", *arguments]
    status = 255
    try:
        status = main() or 0
        sys.stdout.flush()
        sys.stderr.flush()
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        caller.send(bytes([status]))
        os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
