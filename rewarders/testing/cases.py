"""The cases file of a rewarder: one JSON object a line, and what each line promises.

An optional first line, of kind `about`, says what holds for the whole file; every other line is a case:

    {"kind": "about", "rewarder": "acme.quotes", "exempt": {"evidence": "the verdict says all there is to say"}}
    {"id": "one-quote", "kind": "full", "reference": {...}, "completion": "...", "note": "the plain case"}
    {"id": "RH-2026-101", "kind": "cheat", "reference": {...}, "completion": "...", "note": "one letter, quoted"}
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from rewarders.digests import digest
from rewarders.errors import AssayError
from rewarders.registry import first_problem
from rewarders.types import Completion, Unit

KINDS = ("full", "partial", "zero", "cheat", "bad_task", "bad_params", "fault")
_MOST_FOR_A_CHEAT = 0.5
"""Where scores are shares, a cheat may keep what it earned honestly."""
Kind = Literal["full", "partial", "zero", "cheat", "bad_task", "bad_params", "fault"]


class CasesError(AssayError):
    """A cases file cannot be read, or lacks what it must hold; the message names the file and the line."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Case(_Row):
    """One completion, judged under one reference and params, and what must come of it."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
    """Once in the file, and for ever: an exploit that was found keeps its name, as in `RH-2026-014`."""
    kind: Kind
    """`full` is accepted, `partial` scores between 0 and 1, `zero` is honestly wrong, `cheat` tries to be paid
    unearned; `bad_task` and `bad_params` have a reference or params that must be refused before anything is judged,
    and `fault` is a task that is to be left unscored."""
    completion: str | Completion = ""
    """Text, or the whole object where the finish reason or the messages matter."""
    reference: JsonValue = None
    params: dict[str, JsonValue] = Field(default_factory=dict)
    score: Unit | None = None
    """Exactly this score. Without it: 1 for `full`, 0 for `zero` and `cheat`, in between for `partial`."""
    reason: str | None = None
    """Exactly this reason, where one is given."""
    task: str | None = None
    """Cases of one task share a right answer, differently spelt. Without it, equal references are one task."""
    prompt: str = "Think about the question above and give your final answer."
    """What the policy was asked: some cheats paste it back."""
    gold: str | None = None
    """The part of a `full` completion that is the answer: mutants are made of it."""
    name: str | None = None
    """What the task wants a function to be called: cheats in code need it."""
    equivalents: tuple[str, ...] = ()
    """Mutants of `gold` that are right too."""
    note: str = ""
    """For people: what the case is about, and where an exploit was found."""

    @property
    def asked(self) -> Completion:
        """The completion as a rewarder sees it."""
        return self.completion if isinstance(self.completion, Completion) else Completion(text=self.completion)

    @property
    def question(self) -> str:
        """Which task it belongs to."""
        return self.task or digest([self.reference, self.params])

    @property
    def low_high(self) -> tuple[float, float]:
        """The scores that are right."""
        if self.score is not None:
            return self.score, self.score
        return {"full": (1.0, 1.0), "partial": (1e-9, 1 - 1e-9)}.get(self.kind, (0.0, 0.0))

    def with_text(self, text: str) -> "Case":
        """The same case with another completion."""
        fields = {name: getattr(self.asked, name) for name in Completion.model_fields}
        return self.model_copy(update={"completion": Completion(**{**fields, "text": text})})


class About(_Row):
    """What holds for the whole file."""

    kind: Literal["about"] = "about"
    rewarder: str | None = None
    """Its name: a file read for another rewarder is refused."""
    traits: tuple[str, ...] = ()
    """Rows of `never_accept.jsonl` beyond the universal ones that apply: `maths`, `code`, `layout`, ..."""
    accept: Annotated[float, Field(gt=0, le=0.9)] | None = None
    """Scores from here up count as accepted; without it, all above 0. For who gives scores in between: a `partial`
    case has to show one."""
    chance: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """How often an answer that knows nothing of the question may be accepted, by luck."""
    tasks: Annotated[int, Field(ge=1)] = 12
    """How many tasks the universal cheats are tried on."""
    outputs: Annotated[int, Field(ge=1)] = 300
    """How many pairs of a task and an answer that ignores it are tried."""
    exempt: dict[str, Annotated[str, Field(min_length=10)]] = Field(default_factory=dict)
    """Check, row of `never_accept.jsonl` or transformation -> why it does not apply. Reports repeat it."""


@dataclass(frozen=True)
class Suite:
    """A cases file that was read."""

    path: Path
    about: About
    cases: tuple[Case, ...]

    def of(self, *kinds: Kind) -> list[Case]:
        """The cases of these kinds, in their order."""
        return [case for case in self.cases if case.kind in kinds]

    @cached_property
    def tasks(self) -> list[Case]:
        """One accepted case for each task."""
        return list({case.question: case for case in reversed(self.of("full"))}.values())[::-1]

    @cached_property
    def digest(self) -> str:
        """Content address of the cases."""
        return digest([self.about.model_dump(mode="json"), *(case.model_dump(mode="json") for case in self.cases)])

    def exempt(self, *names: str) -> str | None:
        """Why one of these does not apply, if it does not."""
        return next((self.about.exempt[name] for name in names if name in self.about.exempt), None)


def read_suite(path: Path, rewarder: str, *, needs: Sequence[Kind] = ("full", "zero", "cheat")) -> Suite:
    """Read a cases file.

    Args:
        path: JSONL; blank lines are skipped.
        rewarder: whose cases they have to be.
        needs: kinds without which the file proves too little.

    Raises:
        CasesError: naming the file, the line and what is wrong with it.
    """
    about, cases = About(rewarder=rewarder), list[Case]()
    for number, line in _lines(path):
        try:
            if number == 1 and b'"about"' in line:
                about = About.model_validate_json(line)
            else:
                cases.append(Case.model_validate_json(line))
        except ValidationError as error:
            raise CasesError(f"{path}, line {number}: {first_problem(error)}") from error
    _require(path, rewarder, about, cases, needs)
    return Suite(path, about, tuple(cases))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        hint = 'a cases file is JSONL: {"id": "...", "kind": "full", "completion": "...", "reference": {...}}'
        raise CasesError(f"cannot read the cases {path}: {error.strerror}", hint=hint) from error
    return ((number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip())


def _require(path: Path, rewarder: str, about: About, cases: Sequence[Any], needs: Sequence[Kind]) -> None:
    if about.rewarder not in (None, rewarder):
        raise CasesError(f"{path} holds the cases of {about.rewarder}, not of {rewarder}")
    have = Counter(case.kind for case in cases)
    missing = [kind for kind in needs if not have[kind]]
    if missing:
        raise CasesError(
            f"{path} has no case of kind {', '.join(missing)}",
            hint="a suite needs an answer that is paid, one that is not, one that cheats and one bad task",
        )
    twice = [name for name, count in Counter(case.id for case in cases).items() if count > 1]
    if twice:
        raise CasesError(f"{path}: the id {twice[0]} comes twice", hint="an id names one case for ever")
    _require_what_is_accepted(path, about, cases)


def _require_what_is_accepted(path: Path, about: About, cases: Sequence[Case]) -> None:
    """Right answers are accepted and wrong ones are not, whatever scores the file names."""
    if about.accept is not None and not any(case.kind == "partial" for case in cases):
        raise CasesError(
            f"{path} accepts from {about.accept:g} up, and no partial case shows a score in between",
            hint="take `accept` out: a rewarder that pays all or nothing needs none",
        )
    for case in cases:
        score, _ = case.low_high
        if case.kind == "full" and score < (about.accept or 1e-12):
            raise CasesError(f"{path}: {case.id} is a full case that scores {score:g}, which is not accepted")
        rejected = score < about.accept if about.accept else score <= _MOST_FOR_A_CHEAT
        if case.kind in ("zero", "cheat") and not rejected:
            raise CasesError(
                f"{path}: {case.id} is a {case.kind} case that scores {score:g}: nobody would call that rejected",
                hint="a right answer in part makes a partial case; `accept` says from where up scores are accepted",
            )
