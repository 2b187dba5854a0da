"""[distributed]: how several ranks share a run."""

from typing import Annotated, Literal

from pydantic import Field

from trainer.section import Section


class DistributedSection(Section):
    """[distributed]: how the ranks of torchrun share a run. Without torchrun it changes nothing."""

    shard: Literal["all", "host"] = "all"
    """Where a model's shards lie: over `all` ranks, or over those of one `host`, each of which then has a whole copy;
    gradients are added up among hosts, and weights never travel between them."""
    timeout_s: Annotated[float, Field(gt=0)] = 1800.0
    """Seconds that ranks wait for one another. The others wait while rank 0 samples and grades, so it has to be longer
    than that takes."""
