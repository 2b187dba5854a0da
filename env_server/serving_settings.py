"""`[server]` and `[workers]`: the processes that answer, and those that compute."""

import os
from typing import Annotated

from pydantic import Field

from env_server.section import Count, Positive, Section


class ServerConfig(Section):
    """`[server]`: where it listens and what it accepts."""

    host: str = "127.0.0.1"
    """Address to listen on. Outside loopback only with `[keys] enabled`."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 takes a free port and says which."""
    hosts: tuple[str, ...] = ()
    """Names under which it is asked, without port: a request for another `Host` is refused with 421. Loopback's names
    are always among them. If none are given they are all there are on loopback, and elsewhere any name will do."""
    max_body_bytes: Count = 32 * 1024 * 1024
    """A longer request body is refused with 413."""
    max_json_values: Count = 250_000
    """A body with more keys and values is refused with 413 before it is parsed."""
    max_completions_per_request: Count = 1024
    """A request with more items is refused with 413."""
    max_connections: Count = 2048
    """More clients at once are answered 503."""
    body_timeout_s: Positive = 30.0
    """A body that has not arrived by then is refused with 408."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Server processes that share the address. They share `[workers] processes`, `[calls] at_once`, `[sandbox]
    parallel` and the `at_once` of endpoints too; every other limit is each one's own."""
    silent_s: Annotated[float, Field(ge=1, le=3600)] = 60.0
    """One of several whose event loop has done nothing for so long is killed and replaced."""
    drain_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """After SIGTERM `/readyz` says 503 for so long before requests are refused: a load balancer's time to notice."""
    finish_s: Positive = 30.0
    """After that, requests under way have so long to be answered; those that come are refused with 503."""


class WorkersConfig(Section):
    """`[workers]`: the processes that run pure rewarders."""

    processes: Count = Field(default_factory=lambda: os.cpu_count() or 1)
    """For quick rewarders, and as many for slow ones. One for each core by default."""
    call_timeout_s: Positive = 30.0
    """Wall-clock rescue for one call, from dispatch. Blame is assigned by the rewarder's own CPU budget."""
    memory_bytes: Annotated[int, Field(ge=256 * 1024**2, le=1024**5)] = 2 * 1024**3
    """Address space of one process; a completion that needs more scores 0, `too_costly`."""
    max_waiting_jobs: Count = 65_536
    """A request that would make the queue longer is answered 503 with Retry-After."""
    jobs_per_worker: Count = 20_000
    """After so many jobs a process is replaced by a fresh one."""
    recycle_at: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A process is also replaced when it has grown by this share of the `memory_bytes` that it had left when fresh."""
