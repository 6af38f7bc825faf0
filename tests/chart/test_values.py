"""The values of the chart: documented, complete, and checked before anything is installed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from gcp_aws_bridge._version import __version__

from .files import CHART, DIGEST, IMAGE, defaults, merged, schema, text_of

pytestmark = pytest.mark.skipif(not CHART.exists(), reason="not in a source checkout")


def errors(values: object) -> list[str]:
    """Return what the schema says about the defaults with *values*."""
    checker = jsonschema.Draft7Validator(schema())
    return [error.message for error in checker.iter_errors(merged(defaults(), values))]


def test_chart_has_the_version_of_the_package() -> None:
    chart = yaml.safe_load(text_of("Chart.yaml"))
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_schema_is_valid_and_accepts_the_defaults() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    assert errors({}) == []


def paths(values: object, schema_of: dict[str, Any], parent: str = "") -> Iterator[str]:
    """Yield the path of each value that the schema lists, or that the defaults have."""
    own = schema_of.get("properties", {}) if schema_of.get("additionalProperties") is False else {}
    if not own or not isinstance(values, dict) or (parent and not values):
        yield parent
        return
    for name in {*own, *values} - {"global"}:
        yield from paths(values.get(name, "missing"), own.get(name, {}), f"{parent}.{name}")


def test_schema_and_defaults_have_the_same_names() -> None:
    def names(values: Any, rules: Any) -> Iterator[tuple[str, set[str], set[str]]]:
        for name, rule in rules["properties"].items():
            if rule.get("additionalProperties") is False and values.get(name):
                yield name, {*values[name]}, {*rule["properties"]}
                yield from names(values[name], rule)

    assert {*schema()["properties"]} - {"global"} == {*defaults()}
    for name, in_values, in_schema in names(defaults(), schema()):
        assert in_values == in_schema, name


def undocumented(text: str) -> Iterator[str]:
    """Yield the keys without a comment of their own above them; a group needs none."""
    before = ""
    for line in text.splitlines():
        key = re.match(r"( *)([\w]+):(.*)", line)
        is_group = key is not None and not key[3]
        if (
            key
            and not is_group
            and not before.lstrip().startswith("#")
            and "resources" not in before
        ):
            yield key[2]
        before = line


def test_every_value_has_a_comment() -> None:
    text = text_of("values.yaml")
    inside_resources = {"cpu", "memory"}
    assert set(undocumented(text)) == inside_resources
    assert "replicas" in set(undocumented(re.sub(r"# The number of pods.*\n", "", text)))


def test_every_value_is_used() -> None:
    templates = "".join(path.read_text("utf-8") for path in (CHART / "templates").iterdir())
    templates = templates.replace("$certificates.", ".Values.certificates.")
    templates = templates.replace("$policy.", ".Values.networkPolicy.")
    for path in paths(defaults(), schema()):
        top = path.startswith((".resources.",))
        assert f".Values{'.resources' if top else path}" in templates, path


WRONG = [
    {"replica": 3},
    {"replicas": -1},
    {"replicas": 0},
    {"replicas": "2"},
    {"replicas": 1.5},
    {"image": {"tga": "1"}},
    {"image": {"tag": 1}},
    {"image": {"tag": "a tag"}},
    {"image": {"repository": f"{IMAGE}:1.2.3"}},
    {"image": {"repository": f"{IMAGE}@{DIGEST}"}},
    {"image": {"repository": "https://registry.example.com/a"}},
    {"image": {"digest": "sha256:abc"}},
    {"image": {"digest": DIGEST.upper()}},
    {"image": {"pullPolicy": "always"}},
    {"sidecarImage": "registry.example.com/a b"},
    {"imagePullSecrets": ["registry"]},
    {"annotationPrefixes": "eks.amazonaws.com"},
    {"annotationPrefixes": ["eks.amazonaws.com/"]},
    {"annotationPrefixes": ["a.example", "a.example"]},
    {"annotationPrefixes": ["--quiet=x y"]},
    {"region": "Ireland"},
    {"region": "eu-west-1 --quiet"},
    {"nativeSidecars": 1},
    {"nativeSidecars": "maybe"},
    {"webhook": {"port": 0}},
    {"webhook": {"port": 443}},
    {"webhook": {"port": 70000}},
    {"webhook": {"port": 9912}},
    {"webhook": {"host": "127.0.0.1"}},
    {"webhook": {"failurePolicy": "fail"}},
    {"webhook": {"timeoutSeconds": 31}},
    {"webhook": {"timeoutSeconds": 0}},
    {"excludedNamespaces": "ci"},
    {"excludedNamespaces": ["*"]},
    {"certificates": {"mode": "cert-manager"}},
    {"certificates": {"mod": "certManager"}},
    {"hostNetwork": "false"},
    {"hostNetwork": True},
    {"tolerations": {"key": "a"}},
    {"tolerations": [{"operator": "exists"}]},
    {"affinity": {"podAntiAfinity": {}}},
    {"topologySpreadConstraints": [{"topologyKey": "zone"}]},
    {"resources": {"limit": {}}},
    {"resources": {"limits": "128Mi"}},
    {"labels": {"team": 1}},
    {"labels": {"team": "a b"}},
    {"podLabels": {"team": "x" * 64}},
    {"podAnnotations": {"prometheus.io/scrape": True}},
    {"nodeSelector": {"gpu": True}},
    {"serviceAccount": {"create": "yes"}},
    {"serviceAccount": {"name": "Upper"}},
    {"podDisruptionBudget": {"maxUnavailable": 0}},
    {"podDisruptionBudget": {"maxUnavailable": "0%"}},
    {"podDisruptionBudget": {"minAvailable": 2}},
    {"networkPolicy": {"webhookCidrs": ["10.0.0.1"]}},
    {"networkPolicy": {"apiServerPorts": []}},
    {"networkPolicy": {"apiServerPorts": ["https"]}},
    {"networkPolicy": {"metricsNamespaceSelector": {"team": "monitoring"}}},
    {"serviceMonitor": {"interval": 30}},
    {"fullnameOverride": "Upper"},
    {"nameOverride": "a_b"},
]


@pytest.mark.parametrize("values", WRONG, ids=json.dumps)
def test_wrong_value_is_rejected(values: object) -> None:
    assert errors(values) != []


RIGHT = [
    {"image": {"repository": "localhost:5000/a/b-c.d_e", "tag": "v1.2.3-rc.1"}},
    {"sidecarImage": f"{IMAGE}@{DIGEST}"},
    {"sidecarImage": f"{IMAGE}:1@{DIGEST}"},
    {"annotationPrefixes": ["eks.amazonaws.com", "gtoken"]},
    {"region": "us-iso-east-1"},
    {"region": "eusc-de-east-1"},
    {"webhook": {"port": 8443, "timeoutSeconds": 1}},
    {"hostNetwork": True, "webhook": {"port": 8443}},
    {"resources": {"requests": {"cpu": 1}, "limits": {}}},
    {"podDisruptionBudget": {"maxUnavailable": "100%"}},
    {"serviceMonitor": {"interval": "1m30s"}},
    {"networkPolicy": {"apiServerCidrs": ["2001:db8::/32"]}},
]


@pytest.mark.parametrize("values", RIGHT, ids=json.dumps)
def test_right_value_is_accepted(values: object) -> None:
    assert errors(values) == []
