"""`Draft`: additions change neither the author's pod nor what the patch already contains."""

from __future__ import annotations

import copy
from typing import Any

from kubernetes_objects import patched

from gcp_aws_bridge.inject.draft import Draft

ENV = ("spec", "containers", 0, "env")


def pod() -> dict[str, Any]:
    variables = [{"name": "STAGE", "value": "prod"}]
    return {"metadata": {"name": "etl"}, "spec": {"containers": [{"name": "a", "env": variables}]}}


def test_pod_of_the_author_is_not_changed() -> None:
    given = pod()
    before = copy.deepcopy(given)
    draft = Draft(given, frozenset())
    draft.add_item(("spec", "volumes"), {"name": "token"})
    mount = {"name": "token", "mountPath": "/t"}
    assert draft.add_to_containers(
        draft.containers(("containers",)), {"A": "1"}, mount, frozenset(), {"B": "1"}
    )
    assert before == given
    assert patched(given, draft.patch) == draft.pod


def test_later_addition_does_not_change_an_earlier_one() -> None:
    draft = Draft({"spec": {"containers": [{"name": "a"}]}}, frozenset())
    for name in ("A", "B", "C"):
        draft.add_item(ENV, {"name": name, "value": "1"})
    lengths = [len(one["value"]) for one in draft.patch[:1]]
    assert [1] == lengths
    assert patched({"spec": {"containers": [{"name": "a"}]}}, draft.patch)["spec"] == draft.spec
