"""Pairs of a trust policy and an AssumeRole request, made by chance: likely ones and odd ones."""

from __future__ import annotations

from typing import Any

from gcp_aws_bridge.policy import AssumeRoleRequest

from .pairs import ACCOUNT, Maker

CALLER = f"arn:aws:iam::{ACCOUNT}:role/team/etl"
OTHER = f"arn:aws:iam::{ACCOUNT}:role/other"
USER = f"arn:aws:iam::{ACCOUNT}:user/dev"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/pod-1"
CHAINED = "arn:aws:iam::210987654321:role/tenant"
_IDS = ("tenant:7", "tenant:8", "Tenant:7", "ab")
_NAMES = ("pod-1", "job-7")
_IDENTITIES = ("alice", "bob")
_TAGS = ("team", "Team", "job", "cost center")
_TEXTS = ("lake", "Lake", "sea", "")
_ACTIONS = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
_ODD_ACTIONS = ("sts:*", "sts:Set*", "STS:tagsession", "*", "sts:AssumeRoleWithWebIdentity")
_ODD_TEXTS = ("*", "tenant:*", "?", "", "${aws:PrincipalTag/team}", "a*e", "x", "true", "tea?")


class RequestMaker(Maker):
    """Makes requests, and policies that may admit them."""

    def asked(self) -> tuple[dict[str, Any], AssumeRoleRequest]:
        request = self.request()
        count = self.rarely(1, 2, 3, of=2)
        made = {"Statement": [self.for_request(request) for _ in range(count)]}
        return {"Version": self.rarely("2012-10-17", "2008-10-17"), **made}, request

    def request(self) -> AssumeRoleRequest:
        tags = self._tags() if self.random.randrange(2) else {}
        inherited = {} if self.random.randrange(3) else self._tags()
        used = {key.lower() for key in tags}
        return AssumeRoleRequest(
            caller=CALLER,
            external_id=self.one(None, *_IDS),
            tags=tags,
            transitive_tag_keys=[key for key in tags if not self.random.randrange(3)],
            source_identity=self.one(None, None, *_IDENTITIES),
            role_session_name=self.one(*_NAMES),
            inherited_tags={k: v for k, v in inherited.items() if k.lower() not in used},
        )

    def _tags(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for key in self.random.sample(_TAGS, self.random.randrange(1, 3)):
            if key.lower() not in map(str.lower, found):
                found[key] = self.one(*_TEXTS)
        return found

    def for_request(self, request: AssumeRoleRequest) -> dict[str, Any]:
        principals = (OTHER, USER, SESSION, "*", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
        odd = ([OTHER, CALLER], "210987654321", f"arn:aws:iam::{ACCOUNT}:role/*", *principals)
        wanted = [action for action in _ACTIONS if self.random.randrange(4)] or _ACTIONS[0]
        return {
            "Effect": self.rarely("Allow", "Deny", of=6),
            "Principal": self.rarely({"AWS": self.rarely(CALLER, *odd, of=3)}, "*"),
            self.rarely("Action", "NotAction", of=16): self.rarely(wanted, *_ODD_ACTIONS),
            "Condition": self.conditions_for(request),
        }

    def conditions_for(self, request: AssumeRoleRequest) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for _ in range(self.random.randrange(4)):
            operator = self.rarely(self.operator(), "ArnLike", "ArnNotEquals", "ArnEquals")
            key, likely = self.key_for(request)
            value: Any = self.one("true", "false") if operator == "Null" else None
            if value is None:
                count = self.rarely(1, 2, 0, of=3)
                odd = (*_ODD_TEXTS, *_IDS, *_IDENTITIES, *_TAGS, *_TEXTS, CALLER)
                value = [self.rarely(self.one(*likely), *odd, of=3) for _ in range(count)]
                value = value[0] if count == 1 and self.random.randrange(2) else value
            made.setdefault(operator, {})[key] = value
        return made

    def key_for(self, request: AssumeRoleRequest) -> tuple[str, tuple[str, ...]]:
        """Return a key, and values that it may have."""
        tag = self.one(*_TAGS)
        session = CALLER.replace(":role/team", ":role/*")
        name, values = self.one(
            ("sts:ExternalId", (request.external_id or "ab",)),
            ("sts:ExternalId", (request.external_id or "ab",)),
            ("sts:SourceIdentity", (request.source_identity or "alice",)),
            ("sts:RoleSessionName", (request.role_session_name or "",)),
            ("sts:TransitiveTagKeys", _TAGS),
            ("aws:TagKeys", _TAGS),
            (f"aws:RequestTag/{tag}", _TEXTS),
            (f"aws:RequestTag/{tag}", _TEXTS),
            (f"aws:PrincipalTag/{tag}", _TEXTS),
            ("aws:PrincipalArn", (CALLER, session, "arn:aws:iam::*:role/team/etl")),
            ("aws:PrincipalAccount", (ACCOUNT,)),
            ("aws:PrincipalType", ("AssumedRole",)),
            ("aws:SourceIdentity", _IDENTITIES),
        )
        return self.rarely(name, name.lower(), "aws:SourceIp", "nothing", of=10), values
