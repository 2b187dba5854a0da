"""The process in which a rewarder is asked: `python -m rewarders.testing.prober`, one JSON object a line.

The first line says which rewarder, the first answer what it is; then every line is a question and gets an answer, in
order. A pure rewarder that spends its CPU budget ends the process, as it would end a worker.
"""

import asyncio
import contextlib
import datetime
import importlib
import json
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from rewarders.errors import AssayError, InvalidTask, PluginError, RewarderFault, boundary
from rewarders.registry import Registry, RewarderSpec, first_problem
from rewarders.testing.watching import Watch
from rewarders.types import Completion, Message, Verdict

_MEMORY_BYTES = 2 * 1024**3
_TOOLS = frozenset({"sandboxes", "env_server"})


def main() -> None:
    """Answer until there are no more questions. Standard output of the rewarder goes to standard error."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    opening = json.loads(questions.readline())
    _move_the_clock(opening["clock_s"])

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()

    try:
        spec = _find(opening)
        with asyncio.Runner() as runner:
            runner.run(_answer_all(spec, opening["tools"], questions.readline, say))
    except AssayError as error:
        say({"error": str(error), "hint": error.hint})


async def _answer_all(
    spec: RewarderSpec, tools: str, read: Callable[[], bytes], say: Callable[[dict[str, Any]], None]
) -> None:
    """Raises PluginError: the tools cannot be had."""
    async with contextlib.AsyncExitStack() as stack:
        with boundary(PluginError, f"opening the tools {tools!r}", quote=True):
            opened = await stack.enter_async_context(_opened(tools))
        say({"spec": spec.describe(), "cases": _cases_of(spec)})
        watch = Watch(_package_of(spec), "_asked", _TOOLS | {tools.partition(".")[0]})
        if not spec.is_async:
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        while line := await asyncio.to_thread(read) if spec.is_async else read():
            question = json.loads(line)
            with watch.noting() as events:
                answer = await _judged(spec, question, opened)
            say({**answer, "events": events})


async def _judged(spec: RewarderSpec, question: dict[str, Any], tools: Any) -> dict[str, Any]:
    """As the service would: params and reference first, then the rewarder, then what it returned."""
    completion = Completion.model_validate(question["completion"])
    try:
        params = spec.check_params(question["params"])
        reference = spec.read_reference(question["reference"])
    except (PluginError, InvalidTask) as error:
        return {"refused": "params" if isinstance(error, PluginError) else "task", "message": str(error)}
    cpu = time.process_time()
    try:
        with boundary(RewarderFault, spec.name, quote=True):
            prompt = (Message(role="user", content=question["prompt"]),)
            verdict = await _asked(spec, completion, reference, params, tools(prompt))
            return {"verdict": _checked(verdict), "cpu_s": time.process_time() - cpu}
    except AssayError as error:
        cause = type(error.__cause__ or error).__name__
        return {"raised": cause, "message": str(error)}


async def _asked(spec: RewarderSpec, completion: Completion, reference: Any, params: Any, tools: Any) -> Any:
    if spec.cpu_budget_s is None:
        async with tools as handed:
            return await spec.function(completion, reference, params, handed)  # type: ignore[misc]
    signal.setitimer(signal.ITIMER_PROF, spec.cpu_budget_s)
    try:
        return spec.function(completion, reference, params)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _checked(verdict: Any) -> dict[str, Any]:
    """A verdict may have been made without validation, or be none. Raises RewarderFault."""
    if not isinstance(verdict, Verdict):
        raise RewarderFault(f"returned {type(verdict).__name__} instead of a Verdict")
    try:
        return Verdict.model_validate(dict(verdict)).model_dump(mode="json")
    except ValidationError as error:
        raise RewarderFault(f"returned a verdict that is none: {first_problem(error)}") from error


def _find(opening: dict[str, Any]) -> RewarderSpec:
    registry = Registry.load(opening["load"], opening["modules"])
    spec = registry.get(opening["rewarder"])
    if spec is None:
        known = ", ".join(each.name for each in registry) or "none"
        raise PluginError(f"there is no rewarder {opening['rewarder']!r}", hint=f"loaded rewarders: {known}")
    for name in spec.preload:
        importlib.import_module(name)
    return spec


@contextlib.asynccontextmanager
async def _opened(tools: str) -> AsyncIterator[Any]:
    """`module:factory`, an async context manager that yields a `HandOut`; without one there are no tools."""
    if not tools:
        yield contextlib.nullcontext
        return
    module, _, factory = tools.partition(":")
    async with getattr(importlib.import_module(module), factory)() as opened:
        yield opened


def _package_of(spec: RewarderSpec) -> Path | None:
    """The folder of its top-level package, if it is in one."""
    top = importlib.import_module(spec.function.__module__.partition(".")[0])
    return Path(next(iter(top.__path__))) if hasattr(top, "__path__") else None


def _cases_of(spec: RewarderSpec) -> str | None:
    """Where its own cases are: beside its package's code, `cases/NAME.jsonl`."""
    package = _package_of(spec)
    path = package / "cases" / f"{spec.name}.jsonl" if package else None
    return str(path) if path and path.is_file() else None


def _move_the_clock(by_s: float) -> None:
    """Before the plug-in is imported, so that one which reads the clock is seen to say another thing another day."""
    if not by_s:
        return
    now, now_ns = time.time, time.time_ns

    class Elsewhen(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Self:
            return cls.fromtimestamp(now() + by_s, tz)

    time.time, time.time_ns = (lambda: now() + by_s), (lambda: now_ns() + int(by_s * 1e9))
    datetime.datetime = Elsewhen  # type: ignore[misc]


if __name__ == "__main__":
    main()
