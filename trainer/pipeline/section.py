"""[pipeline]: how far sampling may run ahead of learning."""

from typing import Literal, Self

from pydantic import model_validator

from trainer.section import NonNegative, Positive, Section


class PipelineSection(Section):
    """[pipeline]: sampling, grading and learning at the same time.

    Of prompts_per_step groups that are drawn for a step, the step waits for all but `stragglers`. Those are learnt from
    one step later, with the first of the next draw, so that every step but the first has as many groups.
    """

    max_staleness: NonNegative = 0
    """Versions by which the weights that sampled a rollout may lag behind those that learn from it. 0 draws, grades and
    learns in turn. With 1 the next step is drawn while this one is learnt from; with 2 one is drawn, one graded and one
    learnt from."""
    stragglers: NonNegative = 0
    """Groups of each draw that its step does not wait for: those that finish last. Needs max_staleness = 2 or more,
    since a version is kept in hand for them."""
    finished: Literal["auto", "sampled", "graded"] = "auto"
    """When a group counts as finished, where there are `stragglers`: once it is `sampled`, an order that for `hf` the
    lengths of completions decide, and so the seed (with several ranks the clock does); or once it is `graded`, which
    the clock decides. `auto` is `sampled` for `hf` and `graded` for vLLM. What a step took is written to choices.jsonl,
    and taken so again by a run that goes on."""
    update: Literal["wait", "keep"] = "wait"
    """What new weights mean for completions that vLLM has under way. They `wait` until those have ended; or they are
    put in at once, and what is under way is kept and goes on with them: nobody waits for the longest completion, but
    two runs with one seed are no longer equal, and neither is one that was interrupted."""
    grading_requests: Positive = 8
    """Grading requests under way at once, each of one group; DAPO's rounds are graded one after the other."""

    @property
    def ahead(self) -> int:
        """Draws that are begun before those of the step at hand have been learnt from."""
        return self.max_staleness - (1 if self.stragglers else 0)

    @model_validator(mode="after")
    def _stragglers_have_time(self) -> Self:
        if self.stragglers and self.max_staleness < 2:
            raise ValueError("stragglers need max_staleness = 2 or more: one version is kept in hand for them")
        if self.finished != "auto" and not self.stragglers:
            raise ValueError(f'finished = "{self.finished}" says who is late: without stragglers nobody is')
        return self
