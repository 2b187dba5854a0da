"""`[dialects]`: what other trainers' protocols leave open."""

from typing import Literal

from env_server.section import Section


class DialectsConfig(Section):
    """`[dialects]`: what the routes for other trainers do where their protocols leave a choice."""

    end_marks: tuple[str, ...] = (
        "<|im_end|>",
        "<|endoftext|>",
        "<|eot_id|>",
        "<|end_of_text|>",
        "<end_of_turn>",
        "<eos>",
        "</s>",
        "<｜end▁of▁sentence｜>",
    )
    """OpenRLHF and slime send completions with the tokens that ended them; these are taken off the end."""
    nemo_gym_unscored: Literal["mask", "refuse"] = "mask"
    """What NeMo Gym is told of a completion that was left unscored. `mask`: status 200, with each mark that keeps a row
    out of training and out of metrics. `refuse`: status 503, so that the rollout fails."""
