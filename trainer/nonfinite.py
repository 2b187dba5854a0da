"""A loss that is no number, traced to the rollouts that it came from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from env_server.schemas import ScoredItem
from rewarders.errors import NonFiniteLoss
from trainer.learner import Learner
from trainer.logprobs import batch_logprobs
from trainer.rollouts import Batch

_NAMED = 5


@contextmanager
def naming_rollouts(learner: Learner, batch: Batch, graded: Sequence[ScoredItem], step: int) -> Iterator[None]:
    """Say which step, and which rollouts by their records, a loss or gradient that is not finite came from.

    Those whose log-probabilities are no numbers are named; where each by itself is finite, all that were learnt from.

    Raises:
        NonFiniteLoss: in place of the one raised within the block.
    """
    try:
        yield
    except NonFiniteLoss as error:
        scored = (~batch.reward.isnan()).nonzero()[:, 0].tolist()
        broken = [row for row in _broken_rows(learner, batch) if row in set(scored)]
        ids = [graded[row].record_id or "not on record" for row in broken or scored]
        which = "rollouts whose log-probabilities are no numbers" if broken else "rollouts, each of them finite"
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        raise NonFiniteLoss(
            f"step {step}: {error}; it came from {len(ids)} {which}: records {', '.join(ids[:_NAMED])}{more}",
            hint="look at them with `env-server audit show`; a lower optim.lr needs a new run.dir",
        ) from error


def _broken_rows(learner: Learner, batch: Batch) -> list[int]:
    settings = learner.settings
    found = batch_logprobs(learner.model, batch, temperature=settings.temperature, cut=settings.cut)
    strange = ~(found.isfinite() & batch.sampler_logp.isfinite()) & batch.mask
    rows: list[int] = strange.any(1).nonzero()[:, 0].tolist()
    return rows
