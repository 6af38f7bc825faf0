"""The STS clients of a process: equal settings share one `Sts`, with its connections."""

from __future__ import annotations

import atexit
import logging
from typing import TYPE_CHECKING

from gcp_aws_bridge._cache.fork import process_lock
from gcp_aws_bridge._cache.recently_used import RecentlyUsed
from gcp_aws_bridge._sts.client import Sts
from gcp_aws_bridge._sts.client_key import sts_key
from gcp_aws_bridge._sts.region import sts_region
from gcp_aws_bridge._sts.session_settings import is_asynchronous
from gcp_aws_bridge._traceback import without_inner_frames

if TYPE_CHECKING:
    from botocore.session import Session

    from gcp_aws_bridge._sts.regions import StsRegions
    from gcp_aws_bridge.config import Role

_log = logging.getLogger("gcp_aws_bridge")

_clients: RecentlyUsed[Sts] = RecentlyUsed(64)
atexit.register(_clients.clear)  # like the caches that hold them, see `sharing`
_clients_lock = process_lock()  # client creation is not thread-safe, and sessions are shared


def sts_for(session: Session, role: Role) -> Sts | StsRegions:
    """Return STS for *role* with the settings of *session*; equal settings share one `Sts`."""
    if len(role.sts_regions) < 2:
        return _shared(session, sts_region(session, role))
    # A configured endpoint, or the global one, is the same server for each region.
    servers: dict[str, Sts] = {}
    for region in role.sts_regions:
        sts = _shared(session, region)
        if servers.setdefault(sts.transport.url, sts) is not sts:
            _log.debug("STS in %s is %s too; it is no second server", region, sts.transport.url)
    first, *others = servers.values()
    if not others:
        return first
    from gcp_aws_bridge._sts.regions import StsRegions  # few roles have several regions

    return StsRegions([first, *others])


@without_inner_frames  # the key may hold the password of a proxy
def _shared(session: Session, region: str) -> Sts:
    key = sts_key(session, region)
    with _clients_lock.get():
        return _clients.get_or_make(key, lambda: Sts(_synchronous(session), region, key=key))


def _synchronous(session: Session) -> Session:
    """Return *session*; for aiobotocore, a botocore session with the same settings for STS."""
    if not is_asynchronous(session):
        return session
    from gcp_aws_bridge._sts.synchronous_twin import twin_of

    return twin_of(session)
