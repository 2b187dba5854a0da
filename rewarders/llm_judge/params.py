"""What a rubric may ask of the judge rewarders, what they read of a task, and why they say what they say."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rewarders.llm_judge.question import MAX_TEXT_CHARS, NONCE, REASONING

CriterionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
JudgeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Words = Annotated[str, Field(min_length=1, max_length=4000)]
Answer = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]


class Reason(StrEnum):
    """Why a verdict of `judge.*` is what it is."""

    MET = "met"
    """Every criterion holds, or the answer is the same."""
    PARTLY_MET = "partly_met"
    """The judge or the judges of a panel put it in between."""
    NOT_MET = "not_met"
    BETTER = "better"
    """Better than every text it was compared with, in both orders."""
    BETTER_THAN_SOME = "better_than_some"
    TIED = "tied"
    """Neither better nor worse, or the other way round in the other order."""
    WORSE = "worse"
    NO_CONTENT = "no_content"
    """Rejected before any judge was asked, as are the next five: no letter, digit or symbol."""
    BOILERPLATE = "boilerplate"
    REPETITION = "repetition"
    PROMPT_ECHO = "prompt_echo"
    RUBRIC_ECHO = "rubric_echo"
    TOO_LONG = "too_long"
    JUDGE_DERAILED = "judge_derailed"
    """No judge could answer about this text in a form that can be read, and did at once about another in its place."""


class Closed(BaseModel):
    """Frozen, and nothing unknown is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PanelParams(Closed):
    """Who is asked, and how opinions become one. In common to all that ask a judge."""

    judges: Annotated[tuple[JudgeName, ...], Field(min_length=1, max_length=9)] = ("default",)
    """`[judges.NAME]` of the service's configuration; several make a panel, and each of them has to answer."""
    panel: Literal["majority", "mean", "least"] = "majority"
    """`majority` is 1 if more than half say at least a half, else 0; `least` is what the strictest says. A panel of one
    says what its judge says."""
    samples: Annotated[int, Field(ge=1, le=15)] = 1
    """Where the first opinions come out in doubt, each judge is asked again, this often in all, and the mean counts."""
    doubt: Annotated[tuple[float, float], Field(strict=False)] = (0.2, 0.8)
    """Scores between these two are in doubt."""
    max_chars: Annotated[int, Field(ge=1, le=1_000_000)] = 32_000
    """A longer text scores 0, unread: a text must not choose to be more than the judge can take."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if len(set(self.judges)) != len(self.judges):
            raise ValueError("a judge is listed twice")
        if not 0 <= self.doubt[0] <= self.doubt[1] <= 1:
            raise ValueError("doubt is not two ascending numbers between 0 and 1")
        return self


class TextParams(PanelParams):
    """What of a completion is judged, and whether at all. In common to `judge.*`."""

    thinking: bool = False
    """Show the judge the thinking as well."""
    reject_empty: bool = True
    """Give 0 without asking where the text is boilerplate, an echo of the prompt or the like, unless it is the answer
    that the reference gives. Turn it off where that, or a bare sign, can be right without a reference."""


class CriteriaParams(TextParams):
    """Settings of `judge.criteria`."""

    criteria: Annotated[dict[CriterionName, Words], Field(max_length=16)] = Field(default_factory=dict)
    """Name to statement; each is true of the text or not. Those of the task's reference come on top."""
    pay: Literal["all", "share"] = "all"
    """`all` pays 1 if every criterion holds; `share` the share of them that does."""
    by: Literal["boolean", "probability"] = "boolean"
    """`probability` weighs each verdict with the judge's own log-probabilities, where its endpoint gives them."""
    one_by_one: bool = False
    """Ask about each criterion in a request of its own."""

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        _check_names(self.criteria)
        return self


class AnswerParams(TextParams):
    """Settings of `judge.answer`."""

    by: Literal["boolean", "probability"] = "boolean"
    """As in `judge.criteria`."""


class CompareParams(TextParams):
    """Settings of `judge.compare`."""

    criterion: Words = "Which text answers the question better: correct first, then complete, then clear?"
    """What is compared."""
    panel: Literal["majority", "mean", "least"] = "mean"
    """As in the other judge rewarders."""


class OptionalReference(Closed):
    """A reference that a task may leave out."""

    @model_validator(mode="before")
    @classmethod
    def _none_is_empty(cls, given: Any) -> Any:
        return {} if given is None else given


class CriteriaReference(OptionalReference):
    """What `judge.criteria` reads of a task's reference."""

    criteria: Annotated[dict[CriterionName, Words], Field(max_length=16)] = Field(default_factory=dict)
    """Criteria of this task alone. A calibration speaks for the rubric's criteria; these are judged in the same way."""
    answer: Answer | None = None
    """A good answer, shown to the judge beside the text."""

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        _check_names(self.criteria)
        return self


class AnswerReference(OptionalReference):
    """What `judge.answer` reads of a task's reference."""

    answer: Answer | None = None
    """The right answer. Without one the judge has to commit itself to an answer before it is shown the text."""


class CompareReference(Closed):
    """What `judge.compare` reads of a task's reference."""

    others: Annotated[tuple[Answer, ...], Field(strict=False, min_length=1, max_length=7)]
    """Texts to compare with: one for a pair, several for a list."""


def _check_names(criteria: dict[str, str]) -> None:
    if {REASONING, NONCE} & set(criteria):
        raise ValueError(f"a criterion cannot be named {REASONING!r} or {NONCE!r}")
