"""How long a trainer waits for the reward service before its run stops: longer than a restart takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from env_server.client import AsyncRewardClient
from env_server.schemas import Item, Run, ScoredItem, Status
from rewarders.errors import InvalidTask


@dataclass(frozen=True)
class Patience:
    """Limits of one request."""

    timeout_s: float = 600.0
    """For an answer, on each try."""
    retries: int = 15
    """Tries after the first; with their growing pauses a good minute where nobody listens."""
    items_per_request: int = 1024
    """As many as the service takes, unless it was configured otherwise."""

    def client(self, url: str) -> AsyncRewardClient:
        """A client of the service at `url`. Raises ConfigError."""
        return AsyncRewardClient(url, timeout_s=self.timeout_s, retries=self.retries)

    async def score(self, client: AsyncRewardClient, items: Sequence[Item], run: Run | None) -> list[ScoredItem]:
        """Score items, in as few requests as they fit into; each is safe to be sent again.

        Raises:
            InvalidTask: the service cannot judge by one of the references, or does not know the rubric.
            ServiceUnreachable, RequestRefused: see `AsyncRewardClient.score`.
        """
        scored: list[ScoredItem] = []
        for start in range(0, len(items), self.items_per_request):
            scored += (await client.score(items[start : start + self.items_per_request], run)).items
        for item, answer in zip(items, scored, strict=True):
            if answer.status is Status.INVALID:
                detail = answer.problem.detail if answer.problem else "no reason given"
                raise InvalidTask(f"the service cannot grade task {item.task.id}: {detail}", hint="correct its label")
        return scored


PATIENT = Patience()
"""What is long enough for a restart, and short enough to notice that nobody restarts it."""
