"""The links in their order, and the walk along them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from botocore.session import Session

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._tokens.default import TokenSource
from gcp_aws_bridge.doctor import exchange, identity, platform, reach, settings
from gcp_aws_bridge.doctor.context import Walk, Way, begun
from gcp_aws_bridge.doctor.report import Finding, Report
from gcp_aws_bridge.exceptions import BridgeError

DEFAULT_TIMEOUT_S = 2.0


Watcher = Callable[[str], None]


class Link(NamedTuple):
    """One link: what must hold before it can be looked at, and what is there where all is well.

    Attributes:
        reaches: It asks over a network, and uses nothing that others which do so leave: all of
            these are looked at side by side, since more than one may have no answer.
    """

    name: str
    needs: tuple[str, ...]
    check: Callable[[Any], Iterator[Finding]]
    wanted: str
    reaches: bool = False


LINKS = (
    Link("settings", (), settings.check, "One role, with settings that AWS takes."),
    Link("place", (), platform.check_place, "", reaches=True),
    Link(
        "metadata",
        (),
        platform.check_metadata,
        "Google's metadata server, at 169.254.169.254 and nowhere else.",
    ),
    Link("sts", ("settings",), reach.check_sts, "The STS of the region, over HTTPS.", reaches=True),
    Link("clock", (), reach.check_clock, "All three clocks within five minutes."),
    Link("account", ("metadata",), identity.check_account, "A Google service account."),
    Link(
        "token",
        ("settings", "metadata", "clock", "account"),
        identity.check_token,
        "An ID token for the role's audience, with life left.",
    ),
    Link("exchange", ("sts", "token"), exchange.check_exchange, "Credentials for the token."),
    Link("hops", ("exchange",), exchange.check_hops, "Credentials of each further role."),
    Link("identity", ("exchange", "hops"), exchange.check_identity, "A session of the role."),
)


def diagnose(
    arguments: Mapping[str, Any],
    session: Session,
    *,
    token_source: TokenSource | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    looking_at: Watcher = lambda name: None,
    world: World = REAL,
) -> Report:
    """Walk the chain from settings to AWS, and say what was found of each link.

    Makes one exchange and keeps nothing of it. Raises for no broken set-up: that is a finding.

    Args:
        arguments: Fields of `Role` that were given; others come from environment and profile.
        session: botocore's, with the profile, region and proxies that reach AWS.
        token_source: None for what this machine has.
        timeout_s: Seconds that each link may take; a broken link is mostly the only slow one.
        looking_at: Told the name of each link before it is looked at, for whoever waits.
    """
    walk = Walk(
        arguments=arguments,
        session=session,
        token_source=token_source,
        timeout_s=timeout_s,
        world=world,
    )
    return walked(LINKS, walk, looking_at)


def walked(links: Sequence[Link], walk: Way, looking_at: Watcher) -> Report:
    """What is found along *links*, each looked at where those that it needs are sound."""
    findings: list[Finding] = []
    unsound: set[str] = set()
    reached: dict[str, Future[list[Finding]]] = {}
    for link in links:
        if missing := [name for name in link.needs if name in unsound]:
            unsound.add(link.name)
            findings.append(
                Finding(link.name, "skipped", f"Not looked at: {' and '.join(missing)} first.")
            )
            continue
        looking_at(link.name)
        if link.reaches and not reached:
            reached = {
                one.name: begun(partial(_findings, one, walk), walk.world)
                for one in links
                if one.reaches and unsound.isdisjoint(one.needs)
            }
        for found in reached[link.name].result() if link.reaches else _findings(link, walk):
            findings.append(found)
            if found.state == "broken":
                unsound.add(link.name)
    return Report(tuple(findings))


def _findings(link: Link, walk: Way) -> list[Finding]:
    findings: list[Finding] = []
    try:
        findings.extend(link.check(walk))
    except BridgeError as error:
        findings.append(Finding.of(link.name, error))
    return [
        replace(found, wanted=link.wanted)
        if found.state == "broken" and not found.wanted
        else found
        for found in findings
    ]
