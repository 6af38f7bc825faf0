"""`pool.py START_METHOD ROLE`: credentials in the parent, and in workers by a pickled role."""

import json
import multiprocessing
import sys

import gcp_aws_bridge as bridge


def key(role):
    return bridge.credentials(role).get_frozen_credentials().access_key


if __name__ == "__main__":
    method, role = sys.argv[1:]
    in_parent = key(bridge.Role(role))
    with multiprocessing.get_context(method).Pool(2) as pool:
        in_workers = pool.map(key, [bridge.Role(role)] * 4, chunksize=1)
    print(json.dumps([in_parent, in_workers]))
