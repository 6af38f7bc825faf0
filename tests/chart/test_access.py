"""What the release may do, which pods the webhook sees, and which connections are open."""

from __future__ import annotations

from typing import Any

import pytest

from .helm import one, pod_of, render
from .matrix import every_case, objects


def values_in(case: dict[str, Any], group: str) -> dict[str, Any]:
    found: dict[str, Any] = case.get(group, {})
    return found


@every_case
def test_role_reads_service_accounts_and_nothing_else(case: dict[str, Any]) -> None:
    documents = objects(case)
    assert {document["kind"] for document in documents if "Role" in document["kind"]} == {
        "ClusterRole",
        "ClusterRoleBinding",
    }
    role, binding = one(documents, "ClusterRole"), one(documents, "ClusterRoleBinding")
    rule = {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get"]}
    assert role["rules"] == [rule]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    [subject] = binding["subjects"]
    pod = pod_of(documents)["spec"]
    account = {"kind": "ServiceAccount", "name": pod["serviceAccountName"]}
    assert subject == {**account, "namespace": "aws-bridge"}
    assert pod["automountServiceAccountToken"] is True
    for document in documents:
        if document["kind"] == "ServiceAccount":  # no other pod gets its token unasked
            assert document["automountServiceAccountToken"] is False


@every_case
def test_webhook_is_called_only_for_labeled_pods_of_other_namespaces(case: dict[str, Any]) -> None:
    documents = objects(case)
    [webhook] = one(documents, "MutatingWebhookConfiguration")["webhooks"]
    [rule] = webhook["rules"]
    assert (rule["resources"], rule["operations"]) == (["pods"], ["CREATE"])
    assert webhook["objectSelector"] == {"matchLabels": {"gcp-aws-bridge/inject": "true"}}
    [namespaces] = webhook["namespaceSelector"]["matchExpressions"]
    assert (namespaces["key"], namespaces["operator"]) == ("kubernetes.io/metadata.name", "NotIn")
    excluded = ["kube-system", "aws-bridge", *case.get("excludedNamespaces", [])]
    assert namespaces["values"] == excluded
    assert webhook["sideEffects"] == "None"
    assert webhook["timeoutSeconds"] <= 5
    assert webhook["reinvocationPolicy"] == "IfNeeded"
    assert webhook["failurePolicy"] == values_in(case, "webhook").get("failurePolicy", "Fail")


@every_case
def test_webhook_finds_the_pods_through_the_service(case: dict[str, Any]) -> None:
    documents = objects(case)
    [webhook] = one(documents, "MutatingWebhookConfiguration")["webhooks"]
    service = one(documents, "Service")
    target = webhook["clientConfig"]["service"]
    assert target["path"] == "/mutate"
    about = service["metadata"]
    assert (target["name"], target["namespace"]) == (about["name"], about["namespace"])
    assert target["port"] in [port["port"] for port in service["spec"]["ports"]]


@every_case
def test_all_selectors_match_the_pod_and_never_change(case: dict[str, Any]) -> None:
    documents = objects(case)
    selector = {
        "app.kubernetes.io/name": "gcp-aws-bridge",
        "app.kubernetes.io/instance": "bridge",
    }
    by_kind = {document["kind"]: document.get("spec", {}) for document in documents}
    found = [by_kind["Deployment"]["selector"]["matchLabels"], by_kind["Service"]["selector"]]
    for kind, path in (
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
        ("ServiceMonitor", "selector"),
    ):
        found += [by_kind[kind][path]["matchLabels"]] if kind in by_kind else []
    assert found == [selector] * len(found)
    assert selector.items() <= pod_of(documents)["metadata"]["labels"].items()


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_budget_lets_a_node_drain(replicas: int) -> None:
    budget = one(render({"replicas": replicas}), "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] >= 1
    assert "minAvailable" not in budget


@pytest.mark.parametrize(("kube_version", "policy"), [("1.26", None), ("1.27", "AlwaysAllow")])
def test_broken_pods_do_not_block_a_drain(kube_version: str, policy: str | None) -> None:
    budget = one(render(kube_version=kube_version), "PodDisruptionBudget")["spec"]
    assert budget.get("unhealthyPodEvictionPolicy") == policy


def test_pods_are_spread_over_nodes_and_zones() -> None:
    constraints = pod_of(render())["spec"]["topologySpreadConstraints"]
    assert [one_of["topologyKey"] for one_of in constraints] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert {one_of["whenUnsatisfiable"] for one_of in constraints} == {"ScheduleAnyway"}


def test_update_keeps_both_replicas() -> None:
    deployment = one(render(), "Deployment")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


# -- network policy --------------------------------------------------------------------------------


def test_default_network_policy_allows_the_webhook_and_denies_metrics() -> None:
    policy = one(render(), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"port": "webhook"}]}]
    assert [[port["port"] for port in rule["ports"]] for rule in policy["egress"]] == [
        [53, 53],
        [443, 6443],
    ]


def test_policy_names_addresses_and_namespaces() -> None:
    monitoring = {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
    values = {
        "webhookCidrs": ["10.0.0.0/28"],
        "metricsNamespaceSelector": monitoring,
        "apiServerCidrs": ["10.0.0.2/32"],
        "apiServerPorts": [443],
    }
    policy = one(render({"networkPolicy": values}), "NetworkPolicy")["spec"]
    webhook, status = policy["ingress"]
    assert webhook["from"] == [{"ipBlock": {"cidr": "10.0.0.0/28"}}]
    assert status == {"ports": [{"port": "status"}], "from": [{"namespaceSelector": monitoring}]}
    _, api_server = policy["egress"]
    assert api_server == {"ports": [{"port": 443}], "to": [{"ipBlock": {"cidr": "10.0.0.2/32"}}]}


def test_service_monitor_reads_the_status_port() -> None:
    documents = render({"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}})
    monitor = one(documents, "ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    [endpoint] = monitor["spec"]["endpoints"]
    assert endpoint == {"port": "status", "path": "/metrics", "interval": "30s"}
    ports = {port["name"]: port["port"] for port in one(documents, "Service")["spec"]["ports"]}
    assert ports["status"] == 9912
