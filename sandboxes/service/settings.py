"""What a sandbox server may be asked for and how much of it, as one value."""

from dataclasses import dataclass

from sandboxes.types import MIB, Limits

_GRACE_S = 30.0
_FUSION_MOST = Limits(wall_s=300.0, cpu_s=300.0, memory_bytes=4096 * MIB)


@dataclass(frozen=True)
class ServiceSettings:
    """Bounds of one server. Nothing is unlimited."""

    parallel: int
    """Programs that run at once; the others wait for their turn."""
    most_open: int = 64
    """Submissions open at once, running or not."""
    idle_s: float = 60.0
    """A submission that was not run for so long is closed."""
    turn_s: float = 8.0
    """Who gets no turn within this time is told to come back: SandboxFusion's clients give up after 10 s and the
    program's own time, without a word that they had only been queueing."""
    most_requests: int = 1024
    """Requests under way at once."""
    most_body_bytes: int = 64 * MIB
    """Of one request."""
    most_waiting_bytes: int = 1024 * MIB
    """Of all requests under way together."""
    body_s: float = 60.0
    """A request's body has to arrive within this time."""
    token: str = ""
    """What callers have to show; empty lets everyone in."""
    fusion_most: Limits = _FUSION_MOST
    """The most that a request in SandboxFusion's dialect may ask for; what is beyond is lowered to it, as its clients
    ask by habit for more than they need."""

    def overhead_s(self, compile_s: float) -> float:
        """The longest an answer takes beside the program's own wall limit. `compile_s`: the longest compilation."""
        return self.turn_s + compile_s + _GRACE_S
