"""One submission in one sandbox, as the warden sees it: its request, its keeper, and the run that is going on."""

import fcntl
import math
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from sandboxes.inside.child import pack_spec
from sandboxes.inside.keeper import Ended, Order
from sandboxes.inside.process_tree import cpu_seconds, starved_seconds
from sandboxes.inside.spares import Keeper, Shape, Use, wait_for_end

if TYPE_CHECKING:
    from sandboxes.inside.warden import Warden

READ_BYTES = 1 << 18
GRACE_S = 2.0
"""How long a keeper may take to end its program once it was told to."""
_SHORTEST_LOOK_S = 0.01
_SPARE_CPU_S = 0.05
_MOST_STARVED = 4
"""A run may last as many times longer than its wall limit as the machine kept it waiting."""
_OURS_BYTES, _OURS_PIDS = 16 << 20, 6
"""What slot, keeper and the next spare take of a control group."""
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_CORES = os.cpu_count() or 1
_NEVER_ENDED = Ended(-1, 0.0, 0, 0, "")


@dataclass(eq=False)
class Run:
    """One run, from the server's order to the answer."""

    ident: int
    terms: dict[str, Any]
    stdin: bytes
    link: socket.socket | None
    then: Callable[[str], None] | None
    started: float = 0.0
    cpu_before: float = 0.0
    kills_before: int = 0
    starved_s: float = 0.0
    """How long it was ready to run while no CPU was free: time that the machine took, not the program."""
    stopped: str | None = None
    kill_at: float = math.inf
    look_at: float = math.inf
    ended: Ended | None = None
    truncated: bool = False
    pipes: dict[int, bytearray] = field(default_factory=dict)
    """Read ends of standard output and standard error, in this order, and what came out."""
    files: list[tuple[str, int]] = field(default_factory=list)
    """Names and descriptors, as they come."""

    @property
    def wall_at(self) -> float:
        """When the wall clock rescues us."""
        return self.started + float(self.terms["wall_s"]) + self.starved_s


class Keepers(Protocol):
    """Where keepers of one policy come from."""

    isolated: bool
    """Its programs have namespaces of their own."""
    out_of_reach: bool
    """No program can end its keeper."""
    trouble: str | None
    """Why there can be no keeper."""

    @property
    def zygote_pid(self) -> int:
        """The fork server's process."""

    @property
    def ending(self) -> bool:
        """Whether a keeper was killed and is not gone yet."""

    def take(self, shape: Shape, use: Use) -> None:
        """Give a keeper of that shape to `use`, now or when one is ready; None when the zygote is gone."""

    def end(self, keeper: Keeper, then: Callable[[], None]) -> None:
        """Kill a keeper. When it is gone there is room for another submission, and `then` is called."""

    def close(self) -> None:
        """End the zygote and everything it forked."""


class Box:
    """A submission: the same program for every run, one run at a time."""

    def __init__(
        self, warden: "Warden", ident: int, spares: Keepers, spec: dict[str, Any], files: list[tuple[str, bytes, int]]
    ) -> None:
        self._warden, self.ident, self._spares = warden, ident, spares
        self._spec = sealed(pack_spec(spec, files))
        self._keeper: Keeper | None = None
        self._run: Run | None = None
        self._keeper_is_ready = False
        self._left = False

    @property
    def wake_at(self) -> float:
        """When the clock has to be looked at again."""
        run = self._run
        if run is None or not run.started:
            return math.inf
        return run.kill_at if run.stopped else min(run.wall_at, run.look_at)

    def run(
        self, ident: int, terms: dict[str, Any], stdin: bytes,
        link: socket.socket | None = None, then: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        """Run the program once; the warden says how it ended. `then` is called with why, when it has."""
        self._run = Run(ident, terms, stdin, link, then)
        if self._keeper:
            self._begin(self._keeper)
        else:
            self._take_keeper(terms)

    def _take_keeper(self, terms: dict[str, Any]) -> None:
        self._spares.take({name: terms[name] for name in ("disk_bytes", "inodes")}, self._begin)

    def stop(self, why: str) -> None:
        """End the run that is going on."""
        run = self._run
        if run is None or run.stopped:
            return
        run.stopped = why
        if run.started and self._keeper:
            run.kill_at = time.monotonic() + GRACE_S
            self._keeper.signal(signal.SIGTERM)

    def look_at_the_clock(self, now: float) -> None:
        """Stop a run whose time is over."""
        run, keeper = self._run, self._keeper
        if run is None or keeper is None or not run.started:
            return
        if run.stopped:
            if now >= run.kill_at:
                run.kill_at = now + GRACE_S
                keeper.kill()
        elif now >= run.wall_at:
            starved_s = starved_seconds(keeper.pid, self._cpu_s(keeper) - run.cpu_before)
            run.starved_s = min(starved_s, _MOST_STARVED * run.terms["wall_s"])
            if now >= run.wall_at:
                self.stop("wall")
        elif now >= run.look_at:
            left = run.terms["cpu_s"] - (self._cpu_s(keeper) - run.cpu_before)
            if left <= 0:
                self.stop("cpu")
            run.look_at = now + max(_SHORTEST_LOOK_S, left / _CORES)

    def leave(self) -> bool:
        """The server wants no more of it. True if something has to end first."""
        self._left = True
        os.close(self._spec)
        if self._run is not None:
            self.stop("left")
            return True
        return self._dispose()

    def end_now(self) -> None:
        """End it without an answer and wait until it is gone."""
        keeper, self._keeper = self._keeper, None
        if keeper:
            keeper.kill()
            wait_for_end(keeper.pidfd)
            keeper.close()

    def _begin(self, keeper: Keeper | None) -> None:
        run = self._run
        assert run is not None, "a keeper is asked for by a run"
        if self._keeper is not keeper:
            self._keeper, self._keeper_is_ready = keeper, True
        if keeper is None or run.stopped:
            if keeper:
                self._listen_to(keeper)
            self._answer(lost=None if keeper else self._spares.trouble or "the fork server ended")
            return
        self._listen_to(keeper)
        if keeper.group:
            try:
                keeper.group.limit(run.terms["memory_bytes"] + _OURS_BYTES, run.terms["pids"] + _OURS_PIDS)
            except OSError as error:
                self._answer(lost=f"its control group cannot be set: {error}")
                return
            run.kills_before = keeper.group.out_of_memory_kills()
        run.cpu_before = self._cpu_s(keeper)
        self._send_order(keeper, run)
        run.started = time.monotonic()
        run.look_at = run.started + max(_SHORTEST_LOOK_S, run.terms["cpu_s"] / _CORES)

    def _listen_to(self, keeper: Keeper) -> None:
        if self._warden.selector.get_map().get(keeper.link) is None:
            heard = partial(self._on_keeper, keeper)
            self._warden.selector.register(keeper.link, selectors.EVENT_READ, heard)

    def _send_order(self, keeper: Keeper, run: Run) -> None:
        descriptors = [self._spec, sealed(run.stdin)]
        for _ in range(2):
            reader, writer = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(reader, False)
            run.pipes[reader] = bytearray()
            self._warden.selector.register(reader, selectors.EVENT_READ, partial(self._on_output, reader))
            descriptors.append(writer)
        order = Order(run.terms["fetch"], run.terms["last"])
        links = [run.link.fileno()] if run.link else []
        with suppress(ConnectionError):  # the link's end of file tells the rest
            socket.send_fds(keeper.link, [order.packed()], [*descriptors, *links])
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        if run.link:
            run.link.close()

    def _cpu_s(self, keeper: Keeper) -> float:
        return keeper.group.cpu_s() if keeper.group else cpu_seconds(keeper.pid)

    def _on_output(self, reader: int, mask: int) -> None:
        run = self._run
        if run is None or reader not in run.pipes:  # its run ended in the same round of events
            return
        data = _read(reader)
        if data == b"":
            self._warden.selector.unregister(reader)
        elif data is not None:
            self._take_output(run, reader, data)

    def _take_output(self, run: Run, reader: int, data: bytes) -> None:
        room = run.terms["output_bytes"] - sum(map(len, run.pipes.values()))
        run.pipes[reader] += data[:room]
        if len(data) > room:
            run.truncated = True
            self.stop("output")

    def _on_keeper(self, keeper: Keeper, mask: int) -> None:
        run = self._run
        if keeper is not self._keeper:  # it was let go of in the same round of events
            return
        message, descriptors = keeper.hear()
        if not message:
            wait_for_end(keeper.pidfd)
            self._keeper_is_gone(keeper)
            return
        if message == b"ready":
            self._keeper_is_ready = True
        if message == b"ready" or run is None:
            return
        if run.ended is None:
            run.ended = Ended.read(message)
        else:
            run.files.append((message.decode(), descriptors[0]))
        if len(run.files) == run.ended.files:
            self._answer(lost=run.ended.trouble and f"the program could not be started: {run.ended.trouble}")

    def _keeper_is_gone(self, keeper: Keeper) -> None:
        run = self._run
        out_of_memory = bool(run and keeper.group and keeper.group.out_of_memory_kills() > run.kills_before)
        if run is None:
            self._dispose()
        elif not (run.stopped or out_of_memory or self._keeper_is_ready):  # it gave up between two runs
            self._dispose()
            self._forget_pipes(run)
            self._take_keeper(run.terms)
        elif run.stopped or out_of_memory or not self._spares.out_of_reach:
            self._answer()
            self._dispose()
        else:
            self._answer(lost="its first process ended by itself")
            self._dispose()

    def _answer(self, lost: str | None = None) -> None:
        """Tell the server how the run ended, and be ready for the next."""
        run, keeper = self._run, self._keeper
        assert run is not None, "only a run is answered"
        for reader in run.pipes:
            while data := _read(reader):
                self._take_output(run, reader, data)
        self._run = None
        self._keeper_is_ready = False
        if run.link:
            run.link.close()
        files = _contents(run.files, run.terms["output_bytes"])
        facts = {**self._facts(run, keeper), "lost": lost, "files": [*files]}
        streams = tuple(map(bytes, run.pipes.values())) or (b"", b"")
        self._forget_pipes(run)
        self._warden.say(facts, (*streams, *files.values()))
        if run.then:
            run.then("judge")
        if self._left and not self._dispose():
            self._warden.forget(self)

    def _forget_pipes(self, run: Run) -> None:
        for reader in run.pipes:
            if self._warden.selector.get_map().get(reader) is not None:
                self._warden.selector.unregister(reader)
            os.close(reader)
        run.pipes.clear()

    def _facts(self, run: Run, keeper: Keeper | None) -> dict[str, Any]:
        group = keeper.group if keeper and run.started else None
        ended = run.ended or _NEVER_ENDED
        return {
            "run": run.ident,
            "status": None if ended.status < 0 else ended.status,
            "stopped": run.stopped,
            "truncated": run.truncated,
            "out_of_memory": group.out_of_memory_kills() > run.kills_before if group else False,
            "cpu_s": _spent(ended.cpu_s, group.cpu_s() - run.cpu_before if group else 0.0),
            "peak_bytes": max(group.peak_bytes() if group else 0, ended.peak_bytes),
            "wall_s": time.monotonic() - run.started if run.started else 0.0,
        }

    def _dispose(self) -> bool:
        """Kill the keeper, if there is one, and let go of it when it is gone. True if there was one."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return False
        if self._warden.selector.get_map().get(keeper.link) is not None:
            self._warden.selector.unregister(keeper.link)
        self._spares.end(keeper, lambda: self._warden.forget(self))
        return True


def _spent(reaped_s: float, grouped_s: float) -> float:
    """CPU seconds of a run. The group's count holds the making of the next spare too; what was reaped does not, but a
    program can have children that nobody reaps."""
    return grouped_s if grouped_s > reaped_s + _SPARE_CPU_S else reaped_s


def sealed(data: bytes) -> int:
    """A file in memory that nobody can change any more."""
    descriptor = os.memfd_create("request", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return descriptor


def _read(reader: int) -> bytes | None:
    """What has come; b"" at the end of file, None while there is nothing."""
    try:
        return os.read(reader, READ_BYTES)
    except BlockingIOError:
        return None


def _contents(files: list[tuple[str, int]], most_bytes: int) -> dict[str, bytes]:
    """The files' contents by name, without those that are over what is left of the limit."""
    contents: dict[str, bytes] = {}
    for name, descriptor in files:
        size = os.fstat(descriptor).st_size
        if size <= most_bytes:
            contents[name] = os.pread(descriptor, size, 0)
            most_bytes -= size
        os.close(descriptor)
    return contents
