"""The process in which rewarders are asked: `python -m rewarders.testing.prober FD`.

It loads rewarders once, and forks a process for whoever is to be asked: that one gets a socket of its own, says on it
what the rewarder is, and then answers questions, one JSON object a line. A pure rewarder that spends its CPU budget
ends its process, as it would end a worker. All end with the process that started this one.
"""

import asyncio
import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rewarders.errors import AssayError, InvalidTask, PluginError, RewarderFault, boundary
from rewarders.registry import Registry, RewarderSpec, first_problem
from rewarders.testing.elsewhen import move_the_clock
from rewarders.testing.watching import Watch
from rewarders.types import Completion, Message, Verdict

_MEMORY_BYTES = 2 * 1024**3
_MESSAGE_BYTES = 65_536
_TOOLS = frozenset({"sandboxes", "env_server"})
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Fork and reap until there is nobody to ask."""
    control = socket.socket(fileno=int(arguments[0]))
    opening = json.loads(control.recv(_MESSAGE_BYTES))
    if opening["clock_s"]:
        move_the_clock(opening["clock_s"])

    @cache
    def registry() -> Registry:
        return Registry.load(opening["load"], opening["modules"])

    while True:
        message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE_BYTES, 1)
        if not message:
            return
        question = json.loads(message)
        if "end" in question:
            control.send(b"%d" % _ended(question["end"], question["patience_s"]))
            continue
        spec = _found(registry, question["fork"], question["tools"])
        gc.freeze()  # keeps the pages of everything imported shared
        if (pid := os.fork()) == 0:
            control.close()
            _be_asked(socket.socket(fileno=descriptors[0]), spec, question)
        os.close(descriptors[0])
        control.send(b"%d" % pid)


def _ended(pid: int, patience_s: float) -> int:
    """Wait status of a child that is given a moment to end by itself."""
    until = time.monotonic() + patience_s
    while not (seen := os.waitpid(pid, os.WNOHANG))[0] and time.monotonic() < until:
        time.sleep(0.01)
    if seen[0]:
        return seen[1]
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _found(registry: Callable[[], Registry], name: str, tools: str) -> RewarderSpec | AssayError:
    """The rewarder, with what it preloads and what its tools are made of; or why it cannot be had."""
    try:
        spec = registry().get(name)
        if spec is None:
            known = ", ".join(each.name for each in registry()) or "none"
            raise PluginError(f"there is no rewarder {name!r}", hint=f"loaded rewarders: {known}")
        for module in (*spec.preload, *filter(None, [tools.partition(":")[0]])):
            with boundary(PluginError, f"importing {module}", quote=True):
                importlib.import_module(module)
    except AssayError as error:
        return error
    return spec


def _be_asked(link: socket.socket, spec: RewarderSpec | AssayError, question: dict[str, Any]) -> None:
    """A child's whole life. Never returns into the stack of its parent."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir(question["folder"])
    os.environ["HOME"] = question["folder"]
    with link, link.makefile("rb") as questions:

        def say(answer: dict[str, Any]) -> None:
            link.sendall(json.dumps(answer).encode() + b"\n")

        with contextlib.suppress(ConnectionError):
            try:
                if isinstance(spec, AssayError):
                    raise spec
                with asyncio.Runner() as runner:
                    runner.run(_answer_all(spec, question["tools"], questions.readline, say))
            except AssayError as error:
                say({"error": str(error), "hint": error.hint})
    os._exit(0)


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
            for answer in await _answers(spec, json.loads(line)["questions"], opened, watch):
                say(answer)


async def _answers(spec: RewarderSpec, questions: list[Any], opened: Any, watch: Watch) -> list[dict[str, Any]]:
    """An async rewarder is asked all of them at once; what it does meanwhile is then told of each."""
    if spec.is_async:
        with watch.noting() as events:
            said = await asyncio.gather(*(_judged(spec, question, opened) for question in questions))
        return [{**answer, "events": events} for answer in said]
    answers = []
    for question in questions:
        with watch.noting() as events:
            answer = await _judged(spec, question, opened)
        answers.append({**answer, "events": events})
    return answers


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


if __name__ == "__main__":
    main(sys.argv[1:])
