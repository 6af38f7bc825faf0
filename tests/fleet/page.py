"""docs/explanation/fleet.md: the table, the curves, and their meaning."""

from __future__ import annotations

from typing import Any

from .simulation import HOUR_S, Day, Outage

_HEAD = """# Fleets

The load on STS of thousands of pods that start together. `nox -s fleet` simulates them with the
library's own refresh policy and a simulated clock, and writes this page. Every pod is busy: it
requests credentials as early and as often as the policy allows, which is the worst case. A test
compares the simulated pod with the real one, request by request.

Requests are in multiples of the steady mean (every pod once in half of its credentials' lifetime),
in the busiest sixtieth of a lifetime (a minute, or twelve).

| credentials last | STS away for | pods | steady mean | first refresh | after the second \
| in the outage | when it ends | a minute later | without credentials, on average |
|---|---|---|---|---|---|---|---|---|---|
"""

_TAIL = """
<picture>
  <source media="(prefers-color-scheme: dark)" srcset="../figures/fleet-1h-dark.svg">
  <img alt="Requests at STS, credentials of one hour: waves that flatten, an outage of an hour, a \
peak when it ends" src="../figures/fleet-1h-light.svg">
</picture>

<picture>
  <source media="(prefers-color-scheme: dark)" srcset="../figures/fleet-12h-dark.svg">
  <img alt="Requests at STS, credentials of twelve hours: the same outage is barely visible" \
src="../figures/fleet-12h-light.svg">
</picture>

- **Waves.** Pods that started together refresh between 35 % and 65 % of the lifetime. After the
  second round, no wave is above 1.5 times the mean.
- **An outage that is shorter than the lifetime of the credentials** ends without a burst. After two
  quick retries a pod waits for up to three quarters of the time that its credentials have left
  beyond the last ten minutes. So a fleet recovers over the lifetime of its credentials, not in a
  second, and every request in the meantime is signed with valid credentials. The longer the outage
  is compared with the lifetime of the credentials, the steeper the recovery.
- **An outage that is longer** is different. After an hour all credentials of one hour have expired,
  and callers get errors. Each pod then tries about every eight seconds, and has credentials within
  fifteen seconds once STS is back. That peak is intended: to keep it at three times the mean, the
  last pods would be without credentials for ten more minutes. To avoid any gap, request longer
  credentials (`duration_seconds`: up to twelve hours, if the role allows it).

## Two regions of STS

With [`sts_regions`](../how-to/second-region.md), pods go on with the second region while the first
one is down. The simulation uses the library's own order of regions. The first region is down for
two hours; the requests to each region are in multiples of the steady mean, as above.

{regions}
<picture>
  <source media="(prefers-color-scheme: dark)" srcset="../figures/fleet-regions-dark.svg">
  <img alt="Requests at two regions of STS: the second one gets the load of the first one during \
its outage, without a peak" src="../figures/fleet-regions-light.svg">
</picture>

- **The second region gets the load of the first one, and no more**: each pod goes there with its
  next refresh. There is no burst, since no refresh is lost.
- **The first region** continues to get a request with nearly each refresh: after a pause of 1 to 30
  minutes, a pod tries it again. That costs a time-out in the background, for which no caller waits.
- **The return** takes as long as the pauses and the refreshes, about an hour, and has no peak
  either.
- **Quotas** apply to each account and region: 100,000 pods use about 60 of 600 requests per second
  (see below) in the second region during the outage. Other programs of the account that use the
  same second region need their share, too.

## STS quotas

AWS allows 600 requests per second for each account and region, by default, for `AssumeRole` and the
other STS actions that are signed ([IAM and STS quotas]). It publishes no number for
`AssumeRoleWithWebIdentity`, which is not signed; take the same number, and look for `Throttling`
errors in CloudTrail.

- **Steady rate**: on average, each set of credentials is refreshed once in half of its lifetime.
  That is *pods x roles in use / 1,800* requests per second for credentials of one hour: one request
  per second for 1,800 pods with one role each. A [chain](../how-to/role-chaining.md) adds an
  `AssumeRole` for each further role, in the account of the role before it.
- **Many tenants in a process** ([tenants](../how-to/tenants.md)) share 16 threads for refreshes in
  the background. With an STS that answers in 400 ms, a process sends 40 requests per second at
  most, however many tenants are due: 10,000 tenants take about four and a half minutes, of the 21
  minutes or more that their credentials have left. Fifteen such processes that refresh at the same
  moment reach 600 requests per second. Beyond that, use longer credentials, fewer tenants in a
  process, or a region of STS for each group of processes.
- **The first credentials** are not limited: each thread that asks for a tenant makes its own
  request. Limit the threads, or create the sessions of the most active tenants at the start, one
  after the other.
- **Throttling** counts as a failed refresh: the pod goes on with the credentials that it has, and
  tries again after a pause, as in an outage.

[IAM and STS quotas]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""


_REGIONS = """\
| pods | steady mean | before, first region | in the outage, first | second | after it, first \
| second | without credentials |
|---|---|---|---|---|---|---|---|
"""


def page(days: list[tuple[Any, Day]], regions: list[list[Day]], outage: Outage, sizes: str) -> str:
    """Return the whole page.

    Args:
        days: The role and the outage of each day.
        regions: The days of two regions, of which the first has *outage*.
    """
    rows = "".join(_row(story, day) for story, day in days)
    table = _REGIONS + "".join(_region_row(first, second, outage) for first, second in regions)
    tail = _TAIL.replace("{regions}", table)
    return f"{_HEAD}{rows}\n`python -m tests.fleet --pods {sizes}`, seed 1.\n{tail}"


def _region_row(first: Day, second: Day, outage: Outage) -> str:
    steady = first.pods / (HOUR_S / 2)
    end_s = len(first.per_second)

    def peak(day: Day, first_s: float, last_s: float) -> str:
        return f"{day.peak(first_s, last_s) / steady:.1f}x"

    columns = [
        f"{first.pods:,}",
        f"{steady:.1f}/s",
        peak(first, 1.5 * HOUR_S, outage.start_s),
        peak(first, outage.start_s, outage.end_s),
        peak(second, outage.start_s, outage.end_s),
        peak(first, outage.end_s, end_s),
        peak(second, outage.end_s, end_s),
        f"{first.without_s / first.pods / 60:.1f} min",
    ]
    return f"| {' | '.join(columns)} |\n"


def region_curve(days: list[Day], outage: Outage) -> dict[str, Any]:
    """Return the data of a picture: requests per second to each of two regions, by minute."""
    first, second = (curve(day, HOUR_S, outage) for day in days)
    return {**first, "second": second["per_second"]}


def _row(story: Any, day: Day) -> str:
    steady, outage = day.pods / (story.life_s / 2), story.outage
    end_s, over_s = story.hours * HOUR_S, int(story.life_s / 60)

    def peak(first_s: float, last_s: float) -> str:
        return f"{day.peak(first_s, last_s, over_s=over_s) / steady:.1f}x"

    columns = [
        story.name,
        f"{(outage.end_s - outage.start_s) / 60:.0f} min",
        f"{day.pods:,}",
        f"{steady:.1f}/s",
        peak(0.3 * story.life_s, 0.7 * story.life_s),
        peak(1.5 * story.life_s, outage.start_s),
        peak(outage.start_s, outage.end_s),
        peak(outage.end_s, end_s),
        peak(outage.end_s + 60, end_s),
        f"{day.without_s / day.pods / 60:.1f} min",
    ]
    return f"| {' | '.join(columns)} |\n"


def curve(day: Day, life_s: float, outage: Outage) -> dict[str, Any]:
    """Return the data of a picture: requests per second, in sixtieths of a lifetime."""
    over_s = int(life_s / 60)
    starts = range(0, len(day.per_second), over_s)
    return {
        "pods": day.pods,
        "life_s": life_s,
        "outage_s": list(outage),
        "steady": round(day.pods / (life_s / 2), 2),
        "per_second": [round(sum(day.per_second[at : at + over_s]) / over_s, 2) for at in starts],
    }
