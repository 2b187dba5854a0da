"""Keepers of one policy that are isolated already and wait for a submission, so that none waits for them."""

import json
import os
import selectors
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sandboxes.inside import clearing, landlock, process_tree
from sandboxes.inside.cgroups import Group, owned_by
from sandboxes.inside.root import SCRATCH

if TYPE_CHECKING:
    from sandboxes.inside.warden import Warden

MESSAGE_BYTES = 65536
_END_TIMEOUT_MS = 5000
_MOST_SPARES_LOST = 3
"""One after the other, without a single one that got ready."""
_BOOTSTRAP = (
    "import sys; sys.path.insert(0, {root!r}); from sandboxes.inside import {module} as module;"
    " sys.path.pop(0); module.main({argument!r})"
)

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

Shape = dict[str, int]
"""`disk_bytes` and `inodes` of the scratch space, which a keeper has before it knows its submission."""
Use = Callable[["Keeper | None"], None]


@dataclass(eq=False)
class Slot:
    """A fork of the zygote in a control group of its own; everything it forks is born there."""

    control: socket.socket
    group: Group | None
    busy: bool = False
    pidfd: int = -1
    spare: "Keeper | None" = None
    spare_is_ready: bool = False
    wanted: Use | None = None
    """Who waits for this slot's keeper."""


@dataclass(eq=False)
class Keeper:
    """A keeper process as the warden sees it."""

    slot: Slot
    link: socket.socket
    shape: Shape
    pid: int = 0
    pidfd: int = -1
    folder: str = ""
    """Its work folder on the machine's own disk; none where it has a mount namespace."""

    @property
    def group(self) -> Group | None:
        """Its control group, which the zygote's slot and the next spare share with it."""
        return self.slot.group

    def signal(self, number: int) -> None:
        """Send a signal; it may be gone already."""
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return

    def hear(self) -> tuple[bytes, list[int]]:
        """Its next message; b"" when it has ended."""
        return hear(self.link)

    def kill(self) -> None:
        """End it and everything below it; without a pid namespace that takes looking for."""
        if self.folder:
            process_tree.end_descendants(self.pid)
        self.signal(signal.SIGKILL)

    def close(self) -> None:
        """Let go of a keeper that has ended."""
        self.link.close()
        os.close(self.pidfd)
        if self.folder:
            clearing.remove(self.folder)


class Spares:
    """The zygote of a policy, its slots, and the keepers they have forked ahead of their use."""

    def __init__(self, warden: "Warden", policy: dict[str, Any], python: str, count: int, most: int) -> None:
        """Start the zygote.

        Args:
            warden: whose event loop and control groups are used.
            policy: what the zygote is told; `interpreter_env` is its own environment, `env` its programs'.
            python: the interpreter that programs of the policy run in.
            count: how many slots are made at once; more are made when all are busy.
            most: how many there may be. Who finds none waits for one that is being freed.
        """
        self._warden, self._name, self._count, self._most = warden, policy["name"], count, most
        self._shape: Shape = policy["shape"]
        self.isolated = policy["tier"] == "full"
        self._slots: list[Slot] = []
        self._spares_lost = 0
        self._being_made: deque[Slot] = deque()
        self._waiting: deque[tuple[Shape, Use]] = deque()
        self._ending: set[Keeper] = set()
        self.out_of_reach = self.isolated
        self.trouble: str | None = None
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        unseekable, nobody_reads = os.pipe()
        with theirs:
            command = [python, *bootstrap("zygote", theirs.fileno())]
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=policy["interpreter_env"], cwd="/",
                stdin=subprocess.DEVNULL, stdout=nobody_reads,
            )  # fmt: skip
        os.close(unseekable)
        os.close(nobody_reads)
        self._control.send(json.dumps(policy).encode())
        warden.selector.register(self._control, selectors.EVENT_READ, self._on_first_answer)

    @property
    def zygote_pid(self) -> int:
        """The fork server's process."""
        return self._process.pid

    @property
    def ending(self) -> bool:
        """Whether a keeper was killed and is not gone yet."""
        return bool(self._ending)

    def take(self, shape: Shape, use: Use) -> None:
        """Give a keeper of that shape to `use`, now or when one is ready; None when the zygote is gone.

        Those that wait ahead of their use have the shape that was asked for last.
        """
        if self.trouble:
            use(None)
            return
        self._shape = shape
        self._waiting.append((shape, use))
        self._hand_out()

    def end(self, keeper: Keeper, then: Callable[[], None]) -> None:
        """Kill a keeper. When it is gone its slot is free for another submission, and `then` is called."""
        keeper.kill()
        self._ending.add(keeper)
        self._warden.selector.register(keeper.pidfd, selectors.EVENT_READ, partial(self._on_end, keeper, then))

    def _on_end(self, keeper: Keeper, then: Callable[[], None], mask: int) -> None:
        self._warden.selector.unregister(keeper.pidfd)
        self._ending.remove(keeper)
        self._let_go(keeper)
        keeper.slot.busy = False
        then()
        self._hand_out()

    def _let_go(self, keeper: Keeper) -> None:
        keeper.close()
        if keeper.group and keeper.slot not in self._slots:  # the slot was killed, and left its group to us
            keeper.group.remove()

    def close(self) -> None:
        """End the zygote and everything it forked."""
        self.trouble = self.trouble or "closed"
        for keeper in self._ending:
            wait_for_end(keeper.pidfd)
            self._let_go(keeper)
        for slot in list(self._slots):
            self._drop(slot)
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _on_first_answer(self, mask: int) -> None:
        message, _ = hear(self._control)
        if not message and self._process.wait() < 0:  # killed: nothing that this machine cannot do
            self._warden.give_up("a fork server was killed")
            return
        answer = json.loads(message or b'{"error": "the fork server ended at its start"}')
        self._warden.say({"policy": self._name, **answer})
        if "error" in answer:
            self._fail(answer["error"])
            return
        self.out_of_reach = self.isolated or answer["landlock"] >= landlock.SCOPES_SINCE
        self._warden.selector.modify(self._control, selectors.EVENT_READ, self._on_slot_made)
        self._hand_out()

    def _hand_out(self) -> None:
        if self.trouble:
            return
        free = [slot for slot in self._slots if not slot.busy and slot.pidfd >= 0]
        for shape, use in list(self._waiting):
            if not free:
                break
            slot = min(
                free, key=lambda slot: (slot.spare is None, slot.spare is not None and slot.spare.shape != shape)
            )
            free.remove(slot)
            self._waiting.remove((shape, use))
            self._give(slot, shape, use)
        missing = max(self._count - len(self._slots), len(self._waiting) - len(self._being_made))
        for _ in range(min(missing, self._most - len(self._slots))):
            self._make_slot()

    def _give(self, slot: Slot, shape: Shape, use: Use) -> None:
        slot.busy = True
        if slot.spare and slot.spare.shape != shape:
            self._discard(slot)
        slot.wanted = use
        if slot.spare is None:
            self._fork(slot, shape)
        elif slot.spare_is_ready:
            self._deliver(slot)

    def _deliver(self, slot: Slot) -> None:
        keeper, use = slot.spare, slot.wanted
        assert keeper is not None, "only a spare is delivered"
        assert use is not None, "and only to who wants it"
        slot.spare, slot.wanted, slot.spare_is_ready = None, None, False
        self._warden.selector.unregister(keeper.link)
        use(keeper)
        self._fork(slot, self._shape)

    def _make_slot(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, suppress(ConnectionError):  # its end of file is heard
            socket.send_fds(self._control, [b"{}"], [theirs.fileno()])
        slot = Slot(ours, self._warden.cgroups.make() if self._warden.cgroups else None)
        self._slots.append(slot)
        self._being_made.append(slot)

    def _on_slot_made(self, mask: int) -> None:
        message, descriptors = hear(self._control)
        if not message:
            self._fail("the zygote ended")
            return
        slot = self._being_made.popleft()
        slot.pidfd = descriptors[0]
        self._warden.selector.register(slot.control, selectors.EVENT_READ, partial(self._on_forked, slot))
        if slot.group:
            try:
                slot.group.attach(int(message))
            except OSError:  # it was killed already
                self._lose(slot)
                return
        self._hand_out()
        if slot.spare is None:
            self._fork(slot, self._shape)

    def _fork(self, slot: Slot, shape: Shape) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, suppress(ConnectionError):  # as above
            socket.send_fds(slot.control, [json.dumps({"shape": shape}).encode()], [theirs.fileno()])
        slot.spare = Keeper(slot, ours, shape)

    def _on_forked(self, slot: Slot, mask: int) -> None:
        message, descriptors = hear(slot.control)
        if not message:  # killed, for want of memory or by an operator
            self._lose(slot)
            return
        keeper = slot.spare
        assert keeper is not None, "the slot was told to fork it"
        self._born(keeper, int(message), descriptors[0])
        self._warden.selector.register(keeper.link, selectors.EVENT_READ, partial(self._on_ready, keeper))

    def _born(self, keeper: Keeper, pid: int, pidfd: int) -> None:
        keeper.pid, keeper.pidfd = pid, pidfd
        if not self.isolated:
            keeper.folder = f"{SCRATCH}/{owned_by(pid)}"

    def _on_ready(self, keeper: Keeper, mask: int) -> None:
        slot = keeper.slot
        if keeper is not slot.spare:  # it was discarded in the same round of events
            return
        if not keeper.hear()[0]:
            self._lose_spare(slot)
            return
        slot.spare_is_ready, self._spares_lost = True, 0
        if slot.wanted:
            self._deliver(slot)

    def _lose_spare(self, slot: Slot) -> None:
        """A program can do this, by taking all the memory or processes of the group it shares with the next keeper."""
        self._spares_lost += not slot.spare_is_ready
        if self._spares_lost == _MOST_SPARES_LOST:
            self._fail("keepers end at their start; the kernel refuses a step of the isolation")
            return
        shape = slot.spare.shape if slot.spare else self._shape
        self._discard(slot)
        if slot.wanted or not slot.busy:
            self._fork(slot, shape)

    def _lose(self, slot: Slot) -> None:
        wanted = slot.wanted
        self._drop(slot)
        if wanted:
            wanted(None)
        self._hand_out()

    def _drop(self, slot: Slot) -> None:
        self._slots.remove(slot)
        if slot.spare:
            self._discard(slot)
        if slot.pidfd >= 0:
            self._warden.selector.unregister(slot.control)
            signal_if_alive(slot.pidfd)
            wait_for_end(slot.pidfd)
            os.close(slot.pidfd)
        slot.control.close()
        if slot.group:
            slot.group.remove()

    def _discard(self, slot: Slot) -> None:
        keeper, slot.spare, slot.spare_is_ready = slot.spare, None, False
        assert keeper is not None, "there is a spare to discard"
        while keeper.pidfd < 0:  # just being forked
            message, descriptors = hear(slot.control)
            if not message:
                keeper.link.close()
                return
            self._born(keeper, int(message), descriptors[0])
        if self._warden.selector.get_map().get(keeper.link) is not None:
            self._warden.selector.unregister(keeper.link)
        keeper.kill()
        wait_for_end(keeper.pidfd)
        keeper.close()

    def _fail(self, why: str) -> None:
        started, self.trouble = self._slots, why
        if started:
            self._warden.give_up(why)
        self._warden.selector.unregister(self._control)
        while self._waiting:
            self._waiting.popleft()[1](None)
        for slot in self._slots:
            wanted, slot.wanted = slot.wanted, None
            if wanted:
                wanted(None)


def bootstrap(module: str, argument: Any, root: str = _ROOT) -> list[str]:
    """Arguments after the interpreter that run a module's `main(argument)` on the standard library alone.

    Args:
        module: of `sandboxes.inside`.
        argument: anything whose `repr` is Python.
        root: the folder that `sandboxes` lies in, where the interpreter runs.
    """
    return ["-S", "-s", "-P", "-B", "-c", _BOOTSTRAP.format(root=root, module=module, argument=argument)]


def hear(link: socket.socket) -> tuple[bytes, list[int]]:
    """The next message and its descriptors; b"" when the other end is gone."""
    try:
        message, descriptors, _, _ = socket.recv_fds(link, MESSAGE_BYTES, 1)
    except ConnectionError:
        return b"", []
    return message, descriptors


def signal_if_alive(pidfd: int) -> None:
    """Kill a process that may be gone already."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_for_end(pidfd: int) -> None:
    """Wait until a process, and with it its namespaces, is gone."""
    waiting = selectors.PollSelector()
    waiting.register(pidfd, selectors.EVENT_READ)
    waiting.select(_END_TIMEOUT_MS / 1000)
    waiting.close()
