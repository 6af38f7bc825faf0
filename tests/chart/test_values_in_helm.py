"""Helm with right and wrong values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .files import CHART, schema
from .helm import Rejected, container_of, one, pod_of, render, run_helm


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"replica": 3}, "additional properties 'replica' not allowed"),
        ({"replicas": -1}, "at '/replicas': minimum: got -1, want 1"),
        ({"certificates": {"mode": "cert-manager"}}, "at '/certificates/mode'"),
        ({"hostNetwork": True}, "at '/webhook/port'"),
        ({"image": None}, "missing property 'image'"),
    ],
)
def test_helm_checks_the_values_and_says_where(values: object, where: str) -> None:
    with pytest.raises(Rejected, match=re.escape(where)):
        render(values)


def test_service_account_without_a_name_is_an_error_that_says_so() -> None:
    with pytest.raises(Rejected, match="the name of an existing service account"):
        render({"serviceAccount": {"create": False}})


def test_values_may_be_removed_with_null() -> None:
    optional = [
        name for name in schema()["properties"] if name not in {*schema()["required"], "global"}
    ]
    assert len(optional) > 10
    documents = render(dict.fromkeys(optional))
    assert "resources" not in container_of(documents)
    assert one(documents, "Deployment")["metadata"]["labels"].keys() > {"helm.sh/chart"}


@pytest.mark.parametrize(
    ("written", "word"), [("yes", "yes"), ("no", "no"), ("'no'", "no"), ("auto", "auto")]
)
def test_yes_and_no_need_no_quotes(tmp_path: Path, written: str, word: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(f"nativeSidecars: {written}\n", encoding="utf-8")
    for option in (f"--values={file}", f"--set=nativeSidecars={word}"):
        text = run_helm("template", "bridge", str(CHART), option)
        assert f"- --native-sidecars={word}\n" in text


def test_labels_and_annotations_are_on_every_object_and_replace_none_of_the_chart() -> None:
    mine = {"team": "platform", "app.kubernetes.io/instance": "mine"}
    values = {"labels": mine, "annotations": {"note": "1"}, "podAnnotations": {"note": "2"}}
    documents = render(values)
    for document in [*documents, pod_of(documents)]:
        labels = document["metadata"]["labels"]
        assert (labels["team"], labels["app.kubernetes.io/instance"]) == ("platform", "bridge")
    assert {document["metadata"]["annotations"]["note"] for document in documents} == {"1"}
    assert pod_of(documents)["metadata"]["annotations"] == {"note": "2"}
