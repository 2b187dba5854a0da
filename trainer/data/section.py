"""The [data] section: where tasks come from, how they are mixed, and what is kept apart to be judged by."""

import string
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, ValidationError, field_validator, model_validator

from trainer.section import NonNegative, Positive, Section

Weight = Annotated[float, Field(ge=0.0, le=1e6)]
Schedule = tuple[tuple[NonNegative, Weight], ...]


class Lookup(Section):
    """A place in a reference that a column of the row fills: `{ column = "answer", text_after = "####" }`."""

    column: str
    """Name of the column; dots lead into nested ones, as in `reward_model.ground_truth` or `tests.0`."""
    text_after: str = ""
    """Keep only the text behind the last occurrence of this, without the space around it."""
    boxed: bool = False
    """Keep only what the last \\boxed{...} holds."""
    join: str | None = None
    """The column is a list of texts, to be joined with this in between."""

    @model_validator(mode="after")
    def _takes_one_part(self) -> Self:
        if self.boxed and self.text_after:
            raise ValueError("give either text_after or boxed")
        return self


class Source(Section):
    """What every entry of [[data.sources]] has."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    """What errors, tasks and digests call it."""
    weight: Weight | Schedule = 1.0
    """Share of the draws, relative to the other sources; or points `[[0, 1.0], [500, 0.2]]`: training steps done, and
    the weight there, with straight lines between and the last one kept."""
    difficulty: str = ""
    """Column with a number for how hard a row is; of a task in the service's form, a path such as `reference.level`."""
    easy_first_steps: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Training steps over which the rows that are drawn anyway come in the order of their difficulty."""
    held_out_rows: NonNegative = 0
    """Rows at the end that are held out."""

    @model_validator(mode="after")
    def _easy_is_known(self) -> Self:
        if bool(self.difficulty) != bool(self.easy_first_steps):
            raise ValueError("difficulty and easy_first_steps go together")
        return self

    @field_validator("weight")
    @classmethod
    def _steps_rise(cls, weight: float | Schedule) -> float | Schedule:
        if isinstance(weight, tuple):
            steps = [step for step, _ in weight]
            if not steps or steps != sorted(set(steps)):
                raise ValueError("the steps of a weight have to rise")
        return weight

    @property
    def points(self) -> Schedule:
        """The weight as points, also where it is constant."""
        return self.weight if isinstance(self.weight, tuple) else ((0, self.weight),)


class JsonlSource(Source):
    """Tasks in the form the reward service takes, one a line."""

    kind: Literal["jsonl"]
    path: Path
    """The file."""


class HubSource(Source):
    """A data set of a hub or of this disk, whose columns become tasks."""

    kind: Literal["huggingface", "modelscope"]
    """The hub. Both need the extra `data`; ModelScope also `modelscope`."""
    path: Annotated[str, Field(min_length=1)]
    """Id on the hub, a directory, or one file (.parquet, .json, .jsonl, .csv, .arrow)."""
    config: str = ""
    """Name of the data set's configuration, also called subset, where it has several."""
    revision: str = ""
    """Branch, tag or commit on the hub. A commit is what keeps a run repeatable."""
    split: str = "train"
    """Rows to learn from; `train[:1000]` takes some of them, and an empty text none."""
    held_out_split: str = ""
    """Rows that are only ever evaluated on."""
    rubric: Annotated[str, Field(min_length=1)]
    """Rubric that every row is paid by."""
    prompt: str = ""
    """What the user says: a text with columns in braces, as in `{question}`; `{{` and `}}` are plain braces."""
    messages: str = ""
    """Column with the conversation up to the policy's turn, a list of `role` and `content`; in place of `prompt`."""
    system: str = ""
    """What the system says before it."""
    id: str = ""
    """Column that names a row; its place in the split if not given."""
    reference: dict[str, JsonValue] = Field(default_factory=dict)
    """What the rubric compares with. A table with `column` is filled from the row (see `Lookup`); the rest is as it
    stands."""

    @model_validator(mode="after")
    def _asks_one_way(self) -> Self:
        if bool(self.prompt) == bool(self.messages):
            raise ValueError("give either prompt or messages")
        if not (self.split or self.held_out_split):
            raise ValueError("give split, held_out_split or both")
        return self

    @field_validator("prompt")
    @classmethod
    def _is_a_template(cls, prompt: str) -> str:
        fields = [piece[1:] for piece in string.Formatter().parse(prompt) if piece[1] is not None]
        if any(not column or spec or conversion for column, spec, conversion in fields):
            raise ValueError("braces hold the name of a column and nothing else; {{ and }} are plain braces")
        if prompt and not fields:
            raise ValueError("no column in braces: every row would ask the same")
        return prompt

    @field_validator("reference")
    @classmethod
    def _looks_up(cls, reference: dict[str, JsonValue]) -> dict[str, JsonValue]:
        _check_lookups(reference)
        return reference


class GymSource(Source):
    """Tasks that the reasoning-gym library makes up. Needs the extra `reasoning-gym`."""

    kind: Literal["reasoning_gym"]
    dataset: str
    """Name of one of its data sets."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Options of that data set."""
    size: Positive = 10_000
    """Tasks to make."""
    seed: int = 0
    """Decides which."""
    rubric: Annotated[str, Field(min_length=1)]
    """Rubric that every task is paid by."""
    reference: Literal["entry", "answer"] = "entry"
    """What the rubric is given: all that the library's own score function needs, or the answer alone, for
    `maths.equal`."""
    system: str = ""
    """What the system says first."""


AnySource = Annotated[JsonlSource | HubSource | GymSource, Field(discriminator="kind")]


class DataSection(Section):
    """[data]: tasks to learn from, and tasks kept apart to be judged by."""

    tasks: Path | None = None
    """JSONL file, one task a line: short for one source of the kind `jsonl`."""
    sources: tuple[AnySource, ...] = ()
    """Where tasks come from, each a [[data.sources]]; in place of `tasks`."""
    held_out: Path | None = None
    """JSONL file of tasks that are only ever evaluated on."""
    held_out_split: str = "test"
    """Tasks of JSONL files with this `split` are held out as well."""
    overlap: Literal["refuse", "drop"] = "refuse"
    """What becomes of a training task that asks what a held-out one asks: an error, or it is left out."""
    duplicates: Literal["keep", "drop"] = "keep"
    """What becomes of a training task that asks what an earlier one asks. They are counted either way."""

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> Self:
        if (self.tasks is None) == (not self.sources):
            raise ValueError("give either tasks or [[data.sources]]")
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError("two sources have the same name")
        bare = weightless_step(self.sources)
        if bare is not None:
            raise ValueError(f"at step {bare} no source has a weight")
        return self

    @property
    def all_sources(self) -> tuple[JsonlSource | HubSource | GymSource, ...]:
        """The sources, `tasks` among them."""
        return (JsonlSource(kind="jsonl", name="tasks", path=self.tasks),) if self.tasks else self.sources


def weight_at(source: Source, step: int) -> float:
    """The source's weight once `step` training steps are done."""
    before, after = source.points[0], source.points[-1]
    for point in source.points:
        if point[0] <= step:
            before = point
        else:
            after = point
            break
    if step <= before[0] or step >= after[0]:
        return before[1]
    return before[1] + (after[1] - before[1]) * (step - before[0]) / (after[0] - before[0])


def weightless_step(sources: Sequence[Source]) -> int | None:
    """A step at which no source has a weight, if there is one: then there is one where a line bends."""
    bends = sorted({step for source in sources for step, _ in source.points})
    return next((step for step in bends if not any(weight_at(source, step) for source in sources)), None)


def _check_lookups(tree: Any) -> None:
    if isinstance(tree, dict) and "column" in tree:
        try:
            Lookup.model_validate(tree)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"a lookup: {'.'.join(map(str, first['loc']))} {first['msg']}") from error
    elif isinstance(tree, dict | list):
        for part in tree.values() if isinstance(tree, dict) else tree:
            _check_lookups(part)
