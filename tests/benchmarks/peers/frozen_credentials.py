"""`get_frozen_credentials()` with nothing to refresh, ns per call, contenders interleaved."""

import json
import random
import sys
import timeit

from botocore.credentials import Credentials
from contenders import make_credentials

ROUNDS, CALLS = int(sys.argv[1]), 20_000

contenders = {
    "static": Credentials("AKIAIOSFODNN7EXAMPLE", "secret"),
    "bridge": make_credentials("bridge"),
    "recipe": make_credentials("recipe"),
}
for credentials in contenders.values():
    credentials.get_frozen_credentials()
samples: dict[str, list[float]] = {name: [] for name in contenders}
for _ in range(ROUNDS):
    for name in random.sample(list(contenders), len(contenders)):
        took_s = timeit.timeit(contenders[name].get_frozen_credentials, number=CALLS)
        samples[name].append(took_s / CALLS * 1e9)
print(json.dumps(samples))
