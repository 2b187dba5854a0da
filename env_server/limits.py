"""`[limits]` and `[cache]`: how much is taken on, and what is not computed twice."""

from typing import Annotated

from pydantic import Field

from env_server.section import Count, Section

LEAST_ITEMS_PER_S = 0.001
"""A smaller rate would have a client wait for days."""


class LimitsConfig(Section):
    """`[limits]`: how much may be asked with one key that has no limits of its own; without keys, by all together.

    A key's limit is divided evenly among the server processes, so what is asked on one connection has the share of one;
    and each lets one request in, so that there may be as many at once as processes whatever `requests_at_once` says.
    """

    items_per_s: Annotated[float, Field(ge=LEAST_ITEMS_PER_S, allow_inf_nan=False)] | None = None
    """Over a longer time; the items of one second may come at once. More is refused with 429 and Retry-After."""
    requests_at_once: Count | None = None
    """More is refused with 429 and Retry-After."""


class CacheConfig(Section):
    """`[cache]`: verdicts of pure rewarders, which say the same of the same completion every time."""

    max_bytes: Annotated[int, Field(ge=0)] = 64 * 1024**2
    """In the memory of each server process; what was not asked for longest makes room. 0 is off: everything is
    computed, however often it is asked."""
