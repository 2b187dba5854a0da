"""`env-server check-tasks`: which tasks of a file could not be scored, or not as they were meant.

Line by line, so that a file of any length fits: the ids seen lie in a temporary database, and a problem is handed on
as it is found. References are validated here, as when serving; the rewarders' own checks of them run in the worker
processes, so that a hostile reference is ended like a hostile completion.
"""

import asyncio
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from env_server import strict_json
from env_server.app import open_service
from env_server.config import ServiceConfig
from env_server.progress import progress_bar
from env_server.rubric_book import BoundRubric
from env_server.service import Service
from env_server.worker_process import Job, Reply
from rewarders.errors import ConfigError, InvalidBody, InvalidTask, RequestError, UnknownRubric
from rewarders.reference_check import problems_in
from rewarders.registry import RewarderSpec, first_problem
from rewarders.types import Completion, Task, TaskProblem

_LINES_AT_ONCE = 512
_NO_COMPLETION = Completion(text="").document


@dataclass(frozen=True)
class Found:
    """One problem, and where it is."""

    line: int
    """Counted from 1, blank lines included."""
    task: str | None
    """None where the line holds no task."""
    rewarder: str | None
    """None where it is the task itself that is wrong."""
    problem: TaskProblem

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"line": self.line, "task": self.task, "rewarder": self.rewarder, **self.problem.model_dump()}


@dataclass
class Tally:
    """What was looked at, and how much of it is wrong."""

    tasks: int = 0
    """Lines that are not blank."""
    codes: Counter[str] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)

    def add(self, problem: TaskProblem) -> None:
        """Count one problem."""
        self.codes[problem.code] += 1
        self.severities[problem.severity] += 1

    def is_sound(self, *, strict: bool) -> bool:
        """Whether nothing stands in the way of scoring; `strict` lets warnings stand in the way too."""
        return not self.severities["error"] and not (strict and self.severities["warning"])

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        counts = {"errors": self.severities["error"], "warnings": self.severities["warning"]}
        return {"tasks": self.tasks, **counts, "codes": dict(sorted(self.codes.items()))}

    def sentence(self) -> str:
        """For people."""
        codes = ", ".join(f"{count} {code}" for code, count in sorted(self.codes.items()))
        counts = f"{self.tasks} tasks, {self.severities['error']} errors, {self.severities['warning']} warnings"
        return f"{counts}: {codes}" if codes else counts


@dataclass(frozen=True)
class _Line:
    """A line that was read, and the checks of it that are still being made."""

    number: int
    task: str | None
    problems: tuple[tuple[str | None, TaskProblem], ...] = ()
    """What is wrong with it at first sight, each with the rewarder that says so."""
    checks: tuple[tuple[str, "asyncio.Future[Reply]"], ...] = ()


def check_tasks(config: ServiceConfig, tasks: Path, rubric: str | None, report: Callable[[Found], None]) -> Tally:
    """Check a JSONL file, one task a line, and report each problem in the order of the lines.

    Args:
        config: whose rewarders and rubrics are asked. Nothing is recorded and no sandbox is started, if it says so.
        tasks: the file; one that can be read only once will do.
        rubric: of the tasks that name none.
        report: told of every problem as it is found.

    Raises:
        ConfigError: the file cannot be read, or there is no such rubric.
        PluginError: a plug-in does not load.
    """
    try:
        source = tasks.open("rb")
    except OSError as error:
        raise ConfigError(f"cannot read {tasks}: {error.strerror}", hint="give a JSONL file of tasks") from error
    size = tasks.stat().st_size if tasks.is_file() else None
    with source, progress_bar("checking, in bytes", size) as advance, closing(_SeenIds()) as seen:
        return asyncio.run(_check(config, source, rubric, seen, report, advance))


async def _check(
    config: ServiceConfig,
    source: BinaryIO,
    rubric: str | None,
    seen: "_SeenIds",
    report: Callable[[Found], None],
    advance: Callable[[int], None],
) -> Tally:
    tally, waiting = Tally(), deque[_Line]()
    async with open_service(config) as service:
        reader = _Reader(service, rubric, seen)
        for number, line in enumerate(source, 1):
            if line.strip():
                tally.tasks += 1
                waiting.append(reader.read(number, line))
            if len(waiting) >= _LINES_AT_ONCE:
                await _settle(waiting.popleft(), tally, report)
            advance(len(line))
        while waiting:
            await _settle(waiting.popleft(), tally, report)
    return tally


async def _settle(line: _Line, tally: Tally, report: Callable[[Found], None]) -> None:
    """Wait for the checks of a line, then count and report what is wrong with it."""
    checked = [(name, problem) for name, check in line.checks for problem in _said(await check)]
    for rewarder, problem in (*line.problems, *checked):
        tally.add(problem)
        report(Found(line.number, line.task, rewarder, problem))


def _said(reply: Reply) -> tuple[TaskProblem, ...]:
    if reply.verdict:
        return problems_in(reply.verdict)
    assert reply.fault is not None, "a reply holds either a verdict or a fault"
    if reply.invalid_field is not None:
        return (_error("invalid_reference", reply.fault.message),)
    return (_error("check_failed", reply.fault.message),)


class _Reader:
    """Turns lines into tasks, and has the references of those that are tasks checked."""

    def __init__(self, service: Service, rubric: str | None, seen: "_SeenIds") -> None:
        """`rubric` is that of tasks that name none. Raises ConfigError where there is no such rubric."""
        self._service, self._seen, self._rubric = service, seen, rubric
        if rubric is not None and rubric not in (known := list(service.engine.rubrics)):
            raise ConfigError(f"there is no rubric {rubric!r:.80}", hint=f"known rubrics: {', '.join(known)}")

    def read(self, number: int, line: bytes) -> _Line:
        """One line, with its checks under way."""
        try:
            task = self._task(line)
        except InvalidBody as error:
            return _Line(number, None, ((None, _error("not_json", str(error).replace("the body", "the line"))),))
        except RequestError as error:
            return _Line(number, None, ((None, _error(error.code, str(error))),))
        twice = tuple((None, problem) for problem in self._seen.twice(task.id, number))
        try:
            bound = self._service.engine.rubrics.get(task.rubric)
        except UnknownRubric as error:
            return _Line(number, task.id, (*twice, (None, _unusable(error))))
        refusals = _refusals(bound, task)
        return _Line(number, task.id, twice + refusals, () if refusals else tuple(self._checks(bound, task)))

    def _task(self, line: bytes) -> Task:
        """Raises RequestError."""
        raw = strict_json.parse(line, max_values=self._service.config.server.max_json_values)
        if self._rubric is not None and isinstance(raw, dict):
            raw = {"rubric": self._rubric, **raw}
        try:
            return Task.model_validate(raw)
        except ValidationError as error:
            raise InvalidTask(f"this is no task: {first_problem(error)}") from error

    def _checks(self, bound: BoundRubric, task: Task) -> Iterator[tuple[str, "asyncio.Future[Reply]"]]:
        for part, spec in bound.parts:
            if checker := spec.checker:
                job = Job(checker.name, _NO_COMPLETION, spec.project(task.reference), part.params)
                yield spec.name, self._service.engine.pool.submit([job])[0]


def _refusals(bound: BoundRubric, task: Task) -> tuple[tuple[str | None, TaskProblem], ...]:
    """What serving would say of the reference, for each rewarder that cannot use it."""
    try:
        bound.read_reference(task.reference)
    except InvalidTask as error:
        by_rewarder = tuple((spec.name, _unusable(said)) for spec in bound.specs if (said := _refusal(spec, task)))
        return by_rewarder or ((None, _unusable(error)),)
    return ()


def _refusal(spec: RewarderSpec, task: Task) -> InvalidTask | None:
    try:
        spec.read_reference(task.reference)
    except InvalidTask as error:
        return error
    return None


class _SeenIds:
    """The ids so far, on disk once there are many: a set of them would be the one thing here that grows."""

    def __init__(self) -> None:
        self._lines = sqlite3.connect("", isolation_level=None)  # a temporary file that goes with the connection
        self._lines.executescript("pragma journal_mode = off; pragma synchronous = off")
        self._lines.execute("create table seen (task text primary key, line integer) without rowid")
        self._lines.execute("begin")

    def twice(self, task: str, line: int) -> tuple[TaskProblem, ...]:
        """A problem if the id was seen before."""
        if self._lines.execute("insert or ignore into seen values (?, ?)", (task, line)).rowcount:
            return ()
        (first,) = self._lines.execute("select line from seen where task = ?", (task,)).fetchone()
        return (_error("duplicate_id", f"the task on line {first} has the same id"),)

    def close(self) -> None:
        """Forget them."""
        self._lines.close()


def _unusable(error: InvalidTask) -> TaskProblem:
    """What serving says, and what a sender is not told: the owner of the tasks may see what validation objects to."""
    code = error.code if isinstance(error, UnknownRubric) else "invalid_reference"
    detail = first_problem(error.__cause__) if isinstance(error.__cause__, ValidationError) else error.hint
    return _error(code, f"{error}: {detail}" if detail else str(error))


def _error(code: str, message: str) -> TaskProblem:
    return TaskProblem(severity="error", code=code, message=message)
