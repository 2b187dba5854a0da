"""A rewarder that asks reasoning-gym's own score functions, for tasks from its generators.

A plug-in of one file. `service.toml` beside it names the module and a rubric that pays it. Some of the library's score
functions hand what the model wrote to Python's `eval`; those are refused, since a rewarder runs with the service's own
rights.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from rewarders.registry import NoParams, rewarder
from rewarders.types import Completion, TaskProblem, Verdict

REFUSALS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What the library's score functions raise on an answer that they did not think of."""

EXECUTES = {"eval", "exec", "parse_expr", "sympify"}
"""Calls that run text as a program; SymPy's two as well."""


class Reason(StrEnum):
    """Why a verdict is what it is."""

    RIGHT = "right"
    PARTLY = "partly"
    """The library gives some of its data sets partial credit; a rubric's `threshold = 1.0` takes it back."""
    WRONG = "wrong"
    UNREADABLE = "unreadable"
    """The library's function raised on it."""
    NO_ANSWER = "no_answer"


class GymReference(BaseModel):
    """The part of a reference that `reasoning_gym.score` reads: the generator's name and one entry of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    entry: dict[str, JsonValue]


def check(reference: GymReference, params: NoParams) -> tuple[TaskProblem, ...]:
    """An entry is of use if its own answer is scored 1, or if it has none to show."""
    try:
        function, answer = scorer(reference.dataset), reference.entry["answer"]
        full = answer is None or function(str(answer), reference.entry) >= 1
    except ValueError as error:
        return (TaskProblem(severity="error", code="cannot_be_scored", message=str(error)),)
    odd = f"the answer that {reference.dataset} gives is not scored 1 by it"
    return () if full else (TaskProblem(severity="error", code="not_itself", message=odd),)


@rewarder(
    "reasoning_gym.score",
    version="1.0",
    reference=GymReference,
    cpu_budget_s=10,
    preload=("reasoning_gym",),
    check=check,
)
def score(completion: Completion, reference: GymReference, params: NoParams) -> Verdict:
    """What reasoning-gym's score function says of the last <answer>, between 0 and 1."""
    _, opened, rest = completion.text.rpartition("<answer>")
    answer, closed, _ = (part.strip() for part in rest.partition("</answer>"))
    if not (opened and closed):
        return Verdict(score=0.0, reason=Reason.NO_ANSWER)
    function = scorer(reference.dataset)  # what this raises is a fault of ours, whatever was answered
    try:
        value = min(max(float(function(answer, reference.entry)), 0.0), 1.0)
    except REFUSALS as error:
        return Verdict(
            score=0.0, reason=Reason.UNREADABLE, evidence={"answer": answer[:500], "raised": repr(error)[:200]}
        )
    reason = Reason.RIGHT if value == 1 else Reason.PARTLY if value > 0 else Reason.WRONG
    return Verdict(score=value, reason=reason, evidence={"answer": answer[:500]})


@cache
def scorer(name: str) -> Callable[[str, Any], float]:
    """The score function of a generator. Raises ValueError where there is none, or it would run the answer."""
    import reasoning_gym
    from reasoning_gym.factory import DATASETS

    if name not in DATASETS or name == "composite":  # a composite's scorer depends on what it is composed of
        raise ValueError(f"reasoning-gym {reasoning_gym.__version__} has no data set {name!r} that scores by itself")
    tree = ast.parse(textwrap.dedent(inspect.getsource(DATASETS[name][0])))
    calls = {ast.unparse(node.func).rpartition(".")[2] for node in ast.walk(tree) if isinstance(node, ast.Call)}
    if calls & EXECUTES:
        running = ", ".join(sorted(calls & EXECUTES))
        raise ValueError(f"reasoning-gym's {name} calls {running}, so an answer could be a program")
    function: Callable[[str, Any], float] = reasoning_gym.get_score_answer_fn(name)
    return function
