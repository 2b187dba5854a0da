"""[lora]: train a small adapter beside weights that stay as they are."""

from typing import Literal

from trainer.section import NonNegative, Positive, Section


class LoraSection(Section):
    """[lora]: low-rank adapters (arXiv 2106.09685). The learning rate wants to be about ten times that of all weights.

    There is no dropout: the sampler and the step must see one policy.
    """

    rank: NonNegative = 0
    """Rank of the adapter's matrices; 0 trains all weights instead."""
    alpha: Positive = 32
    """What the adapter adds is scaled by `alpha / rank`, or with `rank_stabilised` by `alpha / sqrt(rank)`."""
    rank_stabilised: bool = False
    """Scale so that a larger rank does not learn more slowly (arXiv 2312.03732)."""
    targets: tuple[str, ...] = ()
    """Names of the linear layers to adapt, such as `q_proj`; empty for all of them but the output embedding."""
    sync: Literal["merged", "adapter"] = "merged"
    """What vLLM is sent: `merged` weights, as without an adapter, or the `adapter` alone, which is much less and needs
    a server that was started with --enable-lora. In bfloat16 `merged` loses much of what the adapter adds to rounding,
    and needs [correction]."""
