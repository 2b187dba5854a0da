"""The cheapest rewarder there can be, so that a benchmark sees the service and not the verdict."""

from rewarders import Completion, Verdict, rewarder
from rewarders.registry import NoParams


@rewarder("trivial.character_share", version="1.0")
def character_share(completion: Completion, reference: None, params: NoParams) -> Verdict:
    """Score min(1, characters / 2,000)."""
    return Verdict(score=min(1.0, len(completion.text) / 2000), reason="measured")
