"""Trust policies: `policy/` and the emulated STS, which has its own evaluator, agree; any text
survives writing and reading by other tools.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from gcp_aws_bridge import policy
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.exceptions import ConfigError

ROLE = "arn:aws:iam::123456789012:role/etl"
GOOGLE = "accounts.google.com"
CLUSTER = "container.googleapis.com/v1/projects/p/locations/l/clusters/c"
ARN = f"arn:aws:iam::123456789012:oidc-provider/{CLUSTER}"
NUMBERS = ("104203741234567890123", "104203741234567890124", "204203741234567890123")
AUDIENCES = ("sts.amazonaws.com", "STS.amazonaws.com", "aws:123456789012:etl")
SUBJECTS = ("system:serviceaccount:default:etl", "system:serviceaccount:default:other")


class Clouds:
    """A role in the emulated clouds, with the decision of its real STS."""

    def __init__(self, cloud: Emulator) -> None:
        self.cloud = cloud
        ours = (*AUDIENCES, "another audience")
        self.cluster = cloud.add_oidc_provider(f"https://{CLUSTER}", client_ids=ours)

    def admit(self, claims: Mapping[str, Any]) -> bool:
        token = self._token({**claims})
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": ROLE,
            "RoleSessionName": "etl",
            "WebIdentityToken": token,
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.cloud.sts.port, timeout=30)
        try:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/", urllib.parse.urlencode(form), kind)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        assert answer.status in (200, 403), text
        return answer.status == 200

    def _token(self, claims: dict[str, Any]) -> str:
        if claims.pop("iss").endswith(CLUSTER):
            return self.cluster.mint(claims.pop("sub"), **claims)
        return self.cloud.mint(claims.pop("aud"), **{"azp": None, **claims})


@pytest.fixture(scope="module")
def clouds() -> Iterator[Clouds]:
    with Emulator() as cloud:
        yield Clouds(cloud)


# -- the two evaluators ------------------------------------------------------------------------

_of_google = st.fixed_dictionaries(
    {
        "iss": st.just(f"https://{GOOGLE}"),
        "aud": st.sampled_from(AUDIENCES),
        "sub": st.sampled_from(NUMBERS),
    },
    optional={
        "azp": st.sampled_from(NUMBERS),
        "google": st.fixed_dictionaries({"organization_number": st.integers(1, 4)}),
    },
)
_of_cluster = st.fixed_dictionaries(
    {
        "iss": st.just(f"https://{CLUSTER}"),
        "aud": st.sampled_from(AUDIENCES).map(lambda audience: [audience]),
        "sub": st.sampled_from(SUBJECTS),
    }
)
_claims = _of_google | _of_cluster


def _mangled(text: str) -> st.SearchStrategy[str]:
    """Yield *text*, and texts that differ in case or look like a wildcard."""
    at = st.integers(0, len(text))
    return (
        st.sampled_from((text, text.upper(), text.lower(), f"{text} ", f"*{text[3:]}"))
        | at.map(lambda place: f"{text[:place]}*")
        | at.map(lambda place: f"{text[:place]}?{text[place + 1 :]}")
        | st.tuples(at, at).map(lambda cut: f"{text[: min(cut)]}*{text[max(cut) :]}")
    )


_texts = st.sampled_from((*NUMBERS, *AUDIENCES, *SUBJECTS)).flatmap(_mangled) | st.text(
    "*?ab1", max_size=4
)
_keys = st.sampled_from(
    [f"{GOOGLE}:{name}" for name in ("aud", "oaud", "sub", "google/organization_number", "x")]
    + [f"{CLUSTER}:{name}" for name in ("aud", "sub", "oaud")]
    + ["graph.facebook.com:id"]
)
_string_operators = st.builds(
    lambda qualifier, base, suffix: f"{qualifier}{base}{suffix}",
    st.sampled_from(("", "", "ForAnyValue:", "ForAllValues:")),
    st.builds(
        lambda negated, test: f"String{negated}{test}",
        st.sampled_from(("", "Not")),
        st.sampled_from(("Equals", "EqualsIgnoreCase", "Like")),
    ),
    st.sampled_from(("", "IfExists")),
).filter(lambda name: not re.match("ForAnyValue:.*IfExists", name))
_number_conditions = st.builds(
    lambda base, suffix, value: {
        f"Numeric{base}{suffix}": {f"{GOOGLE}:google/organization_number": value}
    },
    st.sampled_from(
        ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
    ),
    st.sampled_from(("", "IfExists")),
    st.integers(0, 5) | st.sampled_from(("2", "2.0", "2.5", ["1", 3])),
)
_actions = st.sampled_from(
    (
        *("sts:AssumeRoleWithWebIdentity",) * 5,
        *("STS:assumeRole*", "sts:AssumeRoleWithWebIdentit?", "*", "sts:AssumeRole"),
        *(["sts:AssumeRole", "sts:TagSession"], ["sts:TagSession", "sts:*identity"]),
    )
)


def _often(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from((usual, usual, usual, odd)).flatmap(lambda chosen: chosen)


def _compared(claims: Mapping[str, Any]) -> st.SearchStrategy[tuple[str, Any]]:
    """Draw a key, mostly one of this token, and values, mostly like those of the token."""
    values = [claims["sub"], *claims["aud"]] if CLUSTER in claims["iss"] else []
    provider = CLUSTER if values else GOOGLE
    values = values or [claims.get("azp", claims["aud"]), claims["aud"], claims["sub"]]
    names = ("aud", "sub") if provider == CLUSTER else ("aud", "oaud", "sub")
    key = _often(st.sampled_from(names).map(lambda name: f"{provider}:{name}"), _keys)
    cased = key.flatmap(lambda key: st.sampled_from((key, key, key.upper(), key.title())))
    wanted = _often(st.sampled_from(values).flatmap(_mangled), _texts)
    return st.tuples(cased, _often(wanted, st.lists(wanted, max_size=3)))


def _condition(claims: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    by_string = st.builds(
        lambda operator, pairs: {operator: dict(pairs)},
        _string_operators,
        st.lists(_compared(claims), min_size=1, max_size=2),
    )
    flag = st.booleans() | st.sampled_from(("true", "FALSE"))
    by_null = st.builds(lambda pair, value: {"Null": {pair[0]: value}}, _compared(claims), flag)
    some = st.lists(_often(by_string, by_null | _number_conditions), max_size=2)
    return some.map(lambda blocks: {name: keys for block in blocks for name, keys in block.items()})


def _statement(claims: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    own = ARN if CLUSTER in claims["iss"] else GOOGLE
    other = ("*", {"Federated": [ARN, GOOGLE]}, {"Federated": f"{ARN}2"}, {"Federated": ARN})
    other += ({"AWS": "123456789012", "Federated": "graph.facebook.com"}, {"Federated": GOOGLE})
    return st.fixed_dictionaries(
        {
            "Effect": st.sampled_from(("Allow", "Allow", "Allow", "Deny")),
            "Principal": _often(st.just({"Federated": own}), st.sampled_from(other)),
            "Action": _actions,
            "Condition": _condition(claims),
        }
    )


def _cases(
    statements: Callable[[Mapping[str, Any]], st.SearchStrategy[Any]],
) -> st.SearchStrategy[tuple[dict[str, Any], dict[str, Any]]]:
    """Draw claims, and a policy for them."""

    def about(claims: dict[str, Any]) -> st.SearchStrategy[tuple[dict[str, Any], dict[str, Any]]]:
        listed = st.lists(statements(claims), min_size=1, max_size=2)
        policies = st.fixed_dictionaries({"Version": st.just("2012-10-17"), "Statement": listed})
        return st.tuples(st.just(claims), policies)

    return _claims.flatmap(about)


@pytest.mark.exhaustive
@pytest.mark.timeout(300)  # hundreds of requests
@settings(max_examples=settings().max_examples * 3)
@given(case=_cases(_statement))
def test_both_evaluators_agree(clouds: Clouds, case: tuple[dict[str, Any], dict[str, Any]]) -> None:
    claims, document = case
    decision = policy.evaluate(document, claims, account_id="123456789012")
    event(f"admitted: {decision.allowed}, malformed: {bool(decision.malformed)}")
    if decision.malformed:  # one key twice, in upper and in lower case
        with pytest.raises(ValueError, match="has one key twice"):
            clouds.cloud.add_role(ROLE, document)
        return
    clouds.cloud.add_role(ROLE, document)
    assert (clouds.admit(claims), False) == (decision.allowed, decision.undetermined), decision


# Parts that one of the evaluators, or both, ignore.
_odd_operators = (
    *("Bool", "ArnLike", "ArnNotEquals", "DateLessThan", "NotIpAddress", "BinaryEquals"),
    *("ForAnyValue:StringNotEqualsIfExists", "ForAnyValue:StringEqualsIfExists"),
    *("NumericEquals", "StringMatches", "ForAllValues:Null", "StringEquals", "StringNotLike"),
)
_odd_conditions = st.dictionaries(
    st.sampled_from(_odd_operators),
    st.dictionaries(
        _keys | st.sampled_from(("aws:SourceIp", "sts:RoleSessionName", "aws:FederatedProvider")),
        _texts | st.sampled_from(("${aws:username}", "true", "etl", GOOGLE)),
        min_size=1,
        max_size=2,
    ),
    min_size=1,
    max_size=2,
)
_odd_principals = st.sampled_from(
    (
        {"AWS": "*"},
        {"Federated": "*"},
        {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{GOOGLE}"},
    )
)


def _odd_statement(claims: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    usual = _statement(claims)
    changes = st.fixed_dictionaries(
        {},
        optional={
            "Principal": _odd_principals,
            "Condition": _odd_conditions,
            "Resource": st.just("*"),
        },
    )
    negated = usual.map(
        lambda one: {**one, "NotPrincipal": {"Federated": ARN}, "Principal": None}
    ).map(lambda one: {name: value for name, value in one.items() if value is not None})
    changed = st.builds(lambda one, change: {**one, **change}, usual, changes)
    return st.one_of(usual, changed, negated)


@given(case=_cases(_odd_statement))
def test_policy_that_is_not_evaluated_is_never_reported_as_allowing(
    clouds: Clouds, case: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    claims, document = case
    try:
        clouds.cloud.add_role(ROLE, document)
    except ValueError:
        taken = False
    else:
        taken = True
    try:
        decision = policy.evaluate(document, claims, account_id="123456789012")
    except ConfigError:
        assert not taken
        return
    event(f"taken: {taken}, admitted: {decision.allowed}, undetermined: {decision.undetermined}")
    assert decision.statements
    if taken and not decision.undetermined:
        assert clouds.admit(claims) is decision.allowed, decision


# -- written policies --------------------------------------------------------------------------

_audiences = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), min_size=1, max_size=80)
_accounts = st.lists(
    st.from_regex(r"[1-9][0-9]{20}", fullmatch=True), min_size=1, max_size=5, unique=True
)
_label = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?", fullmatch=True)
_subjects = st.lists(
    st.builds("system:serviceaccount:{}:{}".format, _label, _label),
    min_size=1,
    max_size=3,
    unique=True,
)


def _built(**options: Any) -> dict[str, Any]:
    try:
        return policy.build(**options)
    except ConfigError:
        assume(False)
        raise


@settings(max_examples=settings().max_examples // 3)  # each example makes a dozen exchanges
@given(audience=_audiences, accounts=_accounts, data=st.data())
def test_accounts_are_admitted_and_every_changed_token_is_denied(
    clouds: Clouds, audience: str, accounts: list[str], data: st.DataObject
) -> None:
    document = _built(audience=audience, service_accounts=accounts)
    assert [] == policy.lint(document)
    clouds.cloud.add_role(ROLE, document)
    for account in accounts:
        claims = {"iss": f"https://{GOOGLE}", "aud": audience, "azp": account, "sub": account}
        assert policy.evaluate(document, claims).allowed
        assert clouds.admit(claims)
    other = data.draw(st.sampled_from((*accounts, NUMBERS[0])).filter(lambda one: one != account))
    elsewhere = data.draw((_audiences | st.just(account)).filter(lambda one: one != audience))
    changes: list[dict[str, Any]] = [{"aud": elsewhere}, {"aud": f"{audience}x"}]
    changes += [{"azp": other}, {"sub": other}, {"azp": audience}, {"sub": "x@y.com"}]
    for change in changes:
        _is_refused(clouds, document, {**claims, **change})
    _is_refused(clouds, document, {name: claims[name] for name in ("iss", "aud", "sub")})
    if audience in AUDIENCES:
        _is_refused(clouds, document, {**claims, "iss": f"https://{CLUSTER}"})


@given(audience=st.sampled_from(AUDIENCES), subjects=_subjects)
def test_accounts_of_a_cluster_are_admitted_and_every_changed_token_is_denied(
    clouds: Clouds, audience: str, subjects: list[str]
) -> None:
    document = policy.build(
        audience=audience,
        issuer=f"https://{CLUSTER}",
        subjects=subjects,
        account_id="123456789012",
    )
    assert [] == policy.lint(document)
    clouds.cloud.add_role(ROLE, document)
    for subject in subjects:
        claims = {"iss": f"https://{CLUSTER}", "aud": [audience], "sub": subject}
        assert policy.evaluate(document, claims, account_id="123456789012").allowed
        assert clouds.admit(claims)
    for change in (
        {"aud": ["another audience"]},
        {"sub": f"{subjects[0]}-x"},
        {"sub": subjects[0].replace("system:", "System:")},
        {"iss": f"https://{GOOGLE}", "aud": audience},
    ):
        _is_refused(clouds, document, {**claims, **change})


def _is_refused(clouds: Clouds, document: dict[str, Any], claims: dict[str, Any]) -> None:
    decision = policy.evaluate(document, claims, account_id="123456789012")
    assert (False, False) == (decision.allowed, decision.undetermined)
    assert not clouds.admit(claims)


@given(claims=_of_google)
def test_statement_for_a_token_admits_it(clouds: Clouds, claims: dict[str, Any]) -> None:
    document = policy.policy_of(policy.statement_for(claims))
    clouds.cloud.add_role(ROLE, document)
    assert policy.evaluate(document, claims).allowed
    assert clouds.admit(claims)


# -- any text ----------------------------------------------------------------------------------

_SNIPPETS = ('"', "\\", "${", "%{", "$${", "}", "\n", "\r", "\t", "'", "#", ": ", "- ", "!Ref x")
_SNIPPETS += (
    "{{",
    "}}",
    "{{resolve:ssm:x}}",
    "<<EOF",
    "//",
    "/*",
    "\x7f",
    "\x85",
    "\xa0",
    "\\u",
    "*",
)
_any_text = (st.sampled_from(_SNIPPETS) | st.text(max_size=3)).map(str)
_wild = st.lists(_any_text, max_size=6).map("".join)
_wild_documents = st.builds(
    lambda sid, operator, key, values, federated: {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Principal": {"Federated": federated},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {operator: {key: values, "Null": True}, "StringEquals": {"n": 7}},
            }
        ],
    },
    _wild,
    _wild,
    _wild,
    _wild | st.lists(_wild | st.integers(), max_size=3),
    _wild.filter(bool),
)


def _rendered(document: dict[str, Any], form: str) -> str | None:
    """Return the text, or None if the form cannot have it."""
    try:
        return policy.render(document, form)
    except ConfigError as error:
        return None if error.fix and str(error).isprintable() else pytest.fail(str(error))


@given(audience=_wild, account=_wild)
def test_value_is_escaped_or_an_error(audience: str, account: str) -> None:
    document = _built(audience=audience, service_accounts=[NUMBERS[0]])
    for form, read in (("json", json.loads), ("terraform", _hcl), ("cloudformation", _template)):
        text = _rendered(document, form)
        assert document == (document if text is None else read(text))
    with pytest.raises(ConfigError):
        policy.build(audience="x", service_accounts=[account])
    with pytest.raises(ConfigError):
        policy.build(audience="x", issuer=account, subjects=[audience], account_id=account)


@given(document=_wild_documents)
def test_json_and_cloudformation_are_read_back(document: dict[str, Any]) -> None:
    plain, template = _rendered(document, "json"), _rendered(document, "cloudformation")
    event(f"refused: {plain is None} {template is None}")
    if plain is not None:
        assert document == json.loads(plain)
    if template is not None:
        assert document == _template(template)


@given(document=_wild_documents)
def test_terraform_is_read_back(document: dict[str, Any]) -> None:
    text = _rendered(document, "terraform")
    if text is not None:
        assert document == _hcl(text)


def _template(text: str) -> Any:
    [role] = yaml.safe_load(text)["Resources"].values()
    return role["Properties"]["AssumeRolePolicyDocument"]


def _object(text: str) -> str:
    head, expression = text.split("jsonencode(", 1)
    assert 'resource "aws_iam_role" "etl" {\n  name = "etl"\n  assume_role_policy = ' == head
    return expression.removesuffix(")\n}\n")


def _hcl(text: str) -> Any:
    return _plain(hcl2.loads(f"x = {_object(text)}\n")["x"])


def _plain(value: Any) -> Any:
    """Return *value* without the quotes and escapes that hcl2 leaves."""
    if isinstance(value, dict):
        return {
            _plain(key): _plain(member) for key, member in value.items() if key != "__is_block__"
        }
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and value.startswith('"'):
        return json.loads(value)
    return value


@pytest.mark.skipif(not shutil.which("terraform"), reason="Terraform is not installed")
@settings(max_examples=5)
@given(documents=st.lists(_wild_documents, min_size=30, max_size=40))
def test_terraform_reads_the_file_and_leaves_its_format(
    documents: list[dict[str, Any]],
) -> None:
    texts = [_rendered(document, "terraform") for document in documents]
    kept = [(text, one) for text, one in zip(texts, documents, strict=True) if text is not None]
    assume(kept)
    with tempfile.TemporaryDirectory() as folder:
        main = Path(folder, "main.tf")
        objects = ", ".join(_object(text) for text, _ in kept)
        main.write_text(f"locals {{\n  all = [{objects}]\n}}\n", encoding="utf-8")
        # In base64, since the console prints strings with its own escapes.
        printed = _terraform(folder, "console", stdin="base64encode(jsonencode(local.all))")
        assert [one for _, one in kept] == json.loads(base64.b64decode(json.loads(printed)))
        main.write_text("\n".join(text for text, _ in kept), encoding="utf-8")
        assert "" == _terraform(folder, "fmt", "-check", "-diff")


def _terraform(folder: str, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        ["terraform", *arguments],
        input=stdin,
        cwd=folder,
        # Its home is the folder, and it does not check for newer versions.
        env={**os.environ, "HOME": folder, "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr + done.stdout
    return done.stdout
