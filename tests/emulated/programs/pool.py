"""`pool.py START_METHOD ROLE`: credentials in the parent and, by their settings, in its workers."""

import json
import multiprocessing
import sys

import gcp_aws_bridge as bridge


def key(role):
    return bridge.credentials(role).get_frozen_credentials().access_key


if __name__ == "__main__":
    method, role = sys.argv[1:]
    mine = key(bridge.Role(role))
    with multiprocessing.get_context(method).Pool(2) as pool:
        others = pool.map(key, [bridge.Role(role)] * 4, chunksize=1)
    print(json.dumps([mine, others]))
