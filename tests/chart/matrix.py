"""Values of the chart in which each two choices of two factors occur together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from .files import DIGEST, merged
from .helm import Document, render

# cert-manager's objects and the Prometheus operator's have no schema in kubernetes-validate: other
# tests check the fields that matter.
WITHOUT_SCHEMA = {"Certificate", "Issuer", "ServiceMonitor"}
# The oldest schema of kubernetes-validate is that of 1.25.
SCHEMAS = {"1.24": "1.25", "1.28": "1.28", "1.29": "1.29", "1.33": "1.33"}

EVERYTHING = {
    "sidecarImage": f"registry.example.com/sidecar@{DIGEST}",
    "imagePullSecrets": [{"name": "registry"}],
    "annotationPrefixes": ["eks.amazonaws.com", "example.com"],
    "region": "eu-west-1",
    "nativeSidecars": "no",
    "quiet": True,
    "excludedNamespaces": ["ci", "123"],
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/arch": "arm64"},
    "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
    "topologySpreadConstraints": [
        {
            "topologyKey": "kubernetes.io/hostname",
            "maxSkew": 1,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/instance": "bridge"}},
        }
    ],
    "labels": {"team": "platform", "app.kubernetes.io/name": "another"},
    "annotations": {"example.com/note": 'quotes " and: {braces}'},
    "podLabels": {"tier": "1"},
    "podAnnotations": {"prometheus.io/scrape": "true"},
}
FACTORS: list[list[dict[str, Any]]] = [
    [
        {},
        {"certificates": {"mode": "certManager"}},
        {"certificates": {"mode": "certManager", "certManager": {"issuerRef": {"name": "ca"}}}},
        {
            "certificates": {
                "mode": "existingSecret",
                "existingSecret": "123",
                "caBundle": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            }
        },
    ],
    [{"replicas": 1}, {}, {"replicas": 5}],
    [{}, {"image": {"tag": "1.2.3"}}, {"image": {"digest": DIGEST, "pullPolicy": "Always"}}],
    [{}, {"hostNetwork": True, "webhook": {"port": 8443, "failurePolicy": "Ignore", "host": "::"}}],
    [
        {},
        {"networkPolicy": {"enabled": False}},
        {
            "networkPolicy": {
                "webhookCidrs": ["10.0.0.0/28", "fd00::/64"],
                "metricsNamespaceSelector": {"matchLabels": {"team": "monitoring"}},
                "apiServerCidrs": ["10.0.0.2/32"],
                "apiServerPorts": [443],
            }
        },
    ],
    [
        {},
        {"podDisruptionBudget": {"enabled": False}},
        {"podDisruptionBudget": {"maxUnavailable": "50%"}},
    ],
    [{}, {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}],
    [
        {},
        {"serviceAccount": {"create": False, "name": "existing"}},
        {"serviceAccount": {"name": "named", "annotations": {"note": "1"}}},
    ],
    [{}, EVERYTHING],
    [{"kube_version": version} for version in SCHEMAS],
]


Choice = tuple[int, int]  # the number of a factor, and of one of its choices


def pairs(choices: list[Choice]) -> set[tuple[Choice, Choice]]:
    return {(a, b) for a, b in itertools.combinations(sorted(choices), 2) if a[0] != b[0]}


def pairwise(sizes: list[int]) -> Iterator[list[int]]:
    """Yield one choice of each factor, until each pair of choices was in a row."""
    left = pairs([(factor, choice) for factor, size in enumerate(sizes) for choice in range(size)])
    while left:
        row = dict(min(left))
        for factor in range(len(sizes)):
            if factor not in row:
                candidates = ({**row, factor: choice} for choice in range(sizes[factor]))
                row = max(candidates, key=lambda one: len(pairs([*one.items()]) & left))
        left -= pairs([*row.items()])
        yield [row[factor] for factor in range(len(sizes))]


def cases() -> Iterator[Any]:
    for row in pairwise([*map(len, FACTORS)]):
        values: dict[str, Any] = {}
        for factor, choice in zip(FACTORS, row, strict=True):
            values = merged(values, factor[choice])
        yield pytest.param(values, id="-".join(map(str, row)))


CASES = list(cases())
every_case = pytest.mark.parametrize("case", CASES)


def objects(case: dict[str, Any]) -> list[Document]:
    values = {key: value for key, value in case.items() if key != "kube_version"}
    return render(values, kube_version=case["kube_version"])
