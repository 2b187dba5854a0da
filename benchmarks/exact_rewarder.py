"""`exact_number` as a rewarder."""

from exact_number import score
from pydantic import BaseModel, ConfigDict

from rewarders import Completion, Verdict, rewarder
from rewarders.registry import NoParams


class Answer(BaseModel):
    """What is expected."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    answer: str


@rewarder("exact.number", version="1.0", reference=Answer)
def exact(completion: Completion, reference: Answer, params: NoParams) -> Verdict:
    """1 if the answer is the expected number."""
    said = score(completion.text, reference.answer)
    return Verdict(score=said, reason="equal" if said else "wrong")
