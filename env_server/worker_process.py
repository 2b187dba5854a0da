"""The processes that run rewarders. Imports neither the server nor asyncio.

Three kinds of process: the server; one *nursery*, which imports every plug-in once and then forks on demand; and the
workers it forks, each with a socket to the server. A worker reads a frame of jobs and answers job by job, so that
when it dies the server knows which job it held. Its CPU budget is kept by the kernel: `ITIMER_PROF` with the default
action ends the process even inside C code that never returns to Python. Workers die with the nursery and the nursery
with the server.

Jobs go down as `marshal` (the server is trusted); answers come up as JSON (a worker has read hostile text).
"""

import contextlib
import gc
import importlib
import marshal
import os
import resource
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, JsonValue, ValidationError, model_validator

from env_server.blame import OUT_OF_MEMORY
from env_server.dying import die_with_parent
from env_server.stepping_aside import leave_a_core, step_aside
from rewarders.errors import AssayError, InvalidTask, PluginError, RewarderFault, boundary
from rewarders.reference_check import as_rewarder
from rewarders.registry import Registry, RewarderSpec
from rewarders.types import Completion, Duration, Fault, Verdict, Wire

FRAME = struct.Struct("!I")
MESSAGE_BYTES = 4096
CHECK_SUFFIX = " (check)"
NICENESS = 10
"""Of workers for slow rewarders: of a core that the server or a quick worker wants too, they have a tenth. What the
others ask hardly ever waits behind them then; 5 no more than halves that wait. A slow rewarder takes longer for it on a
busy machine; what it waits for a core does not count towards `workers.call_timeout_s`."""


class Job(NamedTuple):
    """One rewarder to run on one completion. Plain data only."""

    rewarder: str
    completion: dict[str, Any]
    reference: Any
    params: dict[str, Any]


class Reply(Wire):
    """What was said of one completion by one rewarder."""

    verdict: Verdict | None = None
    fault: Fault | None = None
    cpu_s: Duration = 0.0
    wall_s: Duration = 0.0
    sandbox: dict[str, JsonValue] | None = None
    """What ran programs for this reply, where something did: it goes on the record."""
    models: dict[str, JsonValue] | None = None
    """Every question that was put to a model for this reply, and what it answered: for the record too."""
    observed: str | None = None
    """Why it must not be paid, if it must not."""
    invalid_field: str | None = None
    """Of the task, where the fault is not ours: its reference cannot be used, which only a worker could find out."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.verdict is None) == (self.fault is None):
            raise ValueError("a reply holds either a verdict or a fault")
        return self


def reply(outcome: Verdict | Fault, *, cpu_s: float = 0.0, wall_s: float = 0.0) -> Reply:
    """The reply that says this."""
    verdict, fault = (outcome, None) if isinstance(outcome, Verdict) else (None, outcome)
    return Reply(verdict=verdict, fault=fault, cpu_s=cpu_s, wall_s=wall_s)


def pack_jobs(jobs: Sequence[Job]) -> bytes:
    """One frame of jobs."""
    body = marshal.dumps([tuple(job) for job in jobs])
    return FRAME.pack(len(body)) + body


def main(arguments: list[str]) -> None:
    """The nursery: `python -m env_server.worker_process FD MEMORY_BYTES LOAD MODULES`."""
    control = socket.socket(fileno=int(arguments[0]))
    memory_bytes = int(arguments[1])
    load, modules = (part.split(",") if part else [] for part in arguments[2:4])
    die_with_parent()
    _own_signals()
    try:
        registry = Registry.load(None if load == ["*"] else load, modules)
        for name in sorted({module for spec in registry for module in spec.preload}):
            with boundary(PluginError, f"preloading {name}", quote=True):
                importlib.import_module(name)
    except AssayError as error:
        control.send(f"error {error}".encode()[:MESSAGE_BYTES])
        return
    gc.freeze()  # keeps the pages of everything imported shared between workers
    with contextlib.suppress(ConnectionError):  # the server is gone
        control.send(f"ready {registry.fingerprint}".encode())
        _nurse(control, registry, memory_bytes)


def _own_signals() -> None:
    """Whatever the server inherited: a child that ends has to be waited for, and a spent CPU budget has to kill."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the server's to handle: it finishes what is under way
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGCHLD, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _nurse(control: socket.socket, registry: Registry, memory_bytes: int) -> None:
    """Answer `N fork WHERE` (with the socket) by `N PID`, `N reap PID` by `N STATUS`, until the server is gone."""
    workers = set[int]()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
        if not message:
            return
        number, question, *rest = message.split()
        if question == b"fork":
            answer = os.fork()
            if answer == 0:
                control.close()
                _work(socket.socket(fileno=descriptors[0]), registry, memory_bytes, aside=rest[0] == b"aside")
            workers.add(answer)
            os.close(descriptors[0])
        else:
            answer = _reaped(int(rest[0]), workers)
        control.send(b"%s %d" % (number, answer))


def _reaped(pid: int, workers: set[int]) -> int:
    """Not reaped yet, so the pid is still its own; a process that has ended keeps the status it ended with."""
    workers.remove(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _work(link: socket.socket, registry: Registry, memory_bytes: int, *, aside: bool) -> None:
    """A worker's whole life. Never returns into the nursery's stack."""
    die_with_parent()
    if aside:
        step_aside(NICENESS)
        leave_a_core()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(2, 1)  # a rewarder that prints must not write into the server's output
    with contextlib.suppress(ConnectionError), link, link.makefile("rb") as incoming:
        while header := incoming.read(FRAME.size):
            for job in marshal.loads(incoming.read(FRAME.unpack(header)[0])):
                answer = run(registry, Job(*job)).model_dump_json().encode()
                link.sendall(FRAME.pack(len(answer)) + answer)
    os._exit(0)


def run(registry: Registry, job: Job) -> Reply:
    """Run one job in this process, under its CPU budget."""
    spec = registry.get(job.rewarder) or _reader(registry, job.rewarder)
    if spec is None or spec.cpu_budget_s is None:
        return Reply(fault=Fault(kind="RewarderFault", message=f"{job.rewarder} is not loaded in the worker"))
    wall, cpu = time.perf_counter(), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, spec.cpu_budget_s)
    try:
        outcome = _judge(spec, job)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if isinstance(outcome, InvalidTask):
        return Reply(fault=Fault(kind="InvalidTask", message=str(outcome)[:500]), invalid_field=outcome.field)
    return reply(outcome, cpu_s=time.process_time() - cpu, wall_s=time.perf_counter() - wall)


def _reader(registry: Registry, name: str) -> RewarderSpec | None:
    """`NAME (check)` of a rewarder that has none: that its reference can be read is all there is to be checked."""
    spec = registry.get(name.removesuffix(CHECK_SUFFIX)) if name.endswith(CHECK_SUFFIX) else None
    return replace(spec, name=name, function=as_rewarder(lambda _reference, _params: ())) if spec else None


def _judge(spec: RewarderSpec, job: Job) -> Verdict | Fault | InvalidTask:
    try:
        reference = spec.read_reference(job.reference)
    except InvalidTask as error:  # of an isolated plug-in, whose references nobody could read before
        return error
    try:
        with boundary(RewarderFault, spec.name):
            return _call(spec, job, reference)
    except AssayError as error:
        return Fault(kind="RewarderFault", message=str(error)[:500], retryable=getattr(error, "retryable", False))


def _call(spec: RewarderSpec, job: Job, reference: BaseModel | None) -> Verdict:
    completion = Completion.model_validate(job.completion)
    params = _validated(spec.params, job.params)
    try:
        verdict = spec.function(completion, reference, params)
    except RecursionError:  # the completion chose how deep there is to go
        return Verdict(score=0.0, reason="too_costly", evidence={"spent": "stack"})
    except MemoryError:  # of this job, or of those before it: a fresh worker will tell
        os._exit(OUT_OF_MEMORY)
    if not isinstance(verdict, Verdict):
        raise RewarderFault(f"{spec.name} returned {type(verdict).__name__} instead of a Verdict")
    return verdict


def _validated(model: type[BaseModel], data: Any) -> BaseModel:
    try:
        return model.model_validate(data)
    except ValidationError as error:  # the server validated the same data: its plug-ins are not ours
        raise RewarderFault(
            f"{model.__name__} differs between server and worker: {error.error_count()} errors"
        ) from None


if __name__ == "__main__":
    main(sys.argv[1:])
