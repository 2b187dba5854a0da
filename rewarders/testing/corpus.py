"""What no rewarder may accept, whatever the task: `rewarders/cases/never_accept.jsonl`. Rows are only ever added."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rewarders.digests import digest
from rewarders.testing.cases import Case, Suite

_SHUFFLES = 3
"""How many other tasks' answers each task is offered."""


class Cheat(BaseModel):
    """One row: a completion that earns nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^RH-\d{4}-\d{3}$")]
    """Its name in the ledger of exploits, for ever."""
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """What to exempt it by, and what reports call it."""
    trait: str = "any"
    """Whom it applies to: every rewarder, or those whose cases file claims the trait."""
    completion: str
    """`<<prompt>>`, `<<gold>>`, `<<name>>` and `<<right>>` stand for fields of the task's case; `<<right>>` is the
    whole completion that is paid."""
    repeat: Annotated[int, Field(ge=1, le=10_000_000)] = 1
    note: Annotated[str, Field(min_length=1)]
    """Where it comes from, and what it would gain."""

    def on(self, task: Case) -> Case | None:
        """The cheat as an answer to a task; None where it needs something that the case does not give."""
        text = self.completion
        parts = {"prompt": task.prompt, "gold": task.gold, "name": task.name, "right": task.asked.text}
        for part, value in parts.items():
            if value is None and f"<<{part}>>" in text:
                return None
            text = text.replace(f"<<{part}>>", value or "")
        return task.model_copy(update={"completion": text * self.repeat, "kind": "cheat"})


@cache
def never_accept() -> tuple[Cheat, ...]:
    """The rows, in their order."""
    lines = (files("rewarders.cases") / "never_accept.jsonl").read_text("utf-8").splitlines()
    return tuple(Cheat.model_validate_json(line) for line in lines if line)


def corpus_digest() -> str:
    """Content address of the corpus: a score card holds for one edition of it."""
    return digest([row.model_dump(mode="json") for row in never_accept()])


def cheats_on(suite: Suite) -> Iterator[tuple[str, Case]]:
    """The rows that apply, on some of the suite's tasks, each with its name."""
    rows = [row for row in never_accept() if row.trait == "any" or row.trait in suite.about.traits]
    rows = [row for row in rows if not suite.exempt(row.id, row.name)]
    for task in suite.tasks[: suite.about.tasks]:
        for row in rows:
            if (case := row.on(task)) is not None:
                yield f"{row.id} {row.name} on {task.id}", case


def shuffled(suite: Suite) -> Iterator[tuple[str, Case]]:
    """Right answers to other questions."""
    tasks = suite.tasks
    for place, task in enumerate(tasks):
        others = [tasks[(place + step) % len(tasks)] for step in range(1, len(tasks))]
        for other in [other for other in others if other.reference != task.reference][:_SHUFFLES]:
            yield f"the answer of {other.id} on {task.id}", task.model_copy(update={"completion": other.completion})
