"""Keepers of one policy that are isolated already and wait for a submission, so that none waits for them."""

import json
import os
import selectors
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandboxes.inside.cgroups import Group

if TYPE_CHECKING:
    from sandboxes.inside.warden import Warden

MESSAGE_BYTES = 65536
_BOOTSTRAP = (
    "import sys; sys.path.insert(0, {root!r}); from sandboxes.inside import {module} as module;"
    " sys.path.pop(0); module.main({argument!r})"
)


Shape = dict[str, int]
"""`disk_bytes` and `inodes` of the scratch space, which a keeper has before it knows its submission."""
Use = Callable[["Keeper | None"], None]


@dataclass(eq=False)
class Keeper:
    """A keeper process as the warden sees it."""

    pid: int
    pidfd: int
    link: socket.socket
    shape: "Shape"
    group: Group | None = None

    def signal(self, number: int) -> None:
        """Send a signal; it may be gone already."""
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return

    def hear(self) -> tuple[bytes, list[int]]:
        """Its next message; b"" when it has ended."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self.link, MESSAGE_BYTES, 1)
        except ConnectionError:
            return b"", []
        return message, descriptors

    def close(self) -> None:
        """Let go of a keeper that has ended."""
        self.link.close()
        os.close(self.pidfd)
        if self.group:
            self.group.remove()


def bootstrap(module: str, argument: Any) -> list[str]:
    """Arguments after the interpreter that run `sandboxes.inside.<module>.main(argument)` with the standard library alone."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return ["-S", "-s", "-P", "-B", "-c", _BOOTSTRAP.format(root=root, module=module, argument=argument)]


class Spares:
    """The zygote of a policy, and the keepers it has forked ahead of their use."""

    def __init__(self, warden: "Warden", policy: dict[str, Any], python: str, count: int) -> None:
        """Start the zygote.

        Args:
            warden: whose event loop and control groups are used.
            policy: what the zygote is told; `env` is the interpreter's own environment.
            python: the interpreter that programs of the policy run in.
            count: how many keepers wait.
        """
        self._warden, self._name, self._count = warden, policy["name"], count
        self._shape: Shape = policy["shape"]
        self._starting: deque[tuple[Shape, socket.socket]] = deque()
        self._forked: list[Keeper] = []
        self._ready: list[Keeper] = []
        self._waiting: deque[tuple[Shape, Use]] = deque()
        self.trouble: str | None = None
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        unseekable, nobody_reads = os.pipe()
        with theirs:
            command = [python, *bootstrap("zygote", theirs.fileno())]
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=policy["env"], cwd="/",
                stdin=subprocess.DEVNULL, stdout=nobody_reads,
            )  # fmt: skip
        os.close(unseekable)
        os.close(nobody_reads)
        self._control.send(json.dumps(policy).encode())
        warden.selector.register(self._control, selectors.EVENT_READ, self._on_first_answer)

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

    def close(self) -> None:
        """End the zygote and the keepers that wait."""
        self.trouble = self.trouble or "closed"
        for keeper in (*self._forked, *self._ready):
            self._discard(keeper)
        self._ready.clear()
        for _, link in self._starting:
            link.close()
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _on_first_answer(self, mask: int) -> None:
        answer = json.loads(self._control.recv(MESSAGE_BYTES) or b'{"error": "the zygote ended at its start"}')
        self._warden.say({"policy": self._name, **answer})
        if "error" in answer:
            self._fail(answer["error"])
            return
        self._warden.selector.modify(self._control, selectors.EVENT_READ, self._on_forked)
        self._fill()

    def _fill(self) -> None:
        """Fork what is missing: one keeper for each that waits, and the spares."""
        there = [shape for shape, _ in self._starting] + [keeper.shape for keeper in self._ready]
        for shape in (*(shape for shape, _ in self._waiting), *(self._shape,) * self._count):
            if shape in there:
                there.remove(shape)
                continue
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                socket.send_fds(self._control, [json.dumps(shape).encode()], [theirs.fileno()])
            self._starting.append((shape, ours))

    def _on_forked(self, mask: int) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._control, 64, 1)
        if not message:
            self._fail("the zygote ended")
            return
        shape, link = self._starting.popleft()
        keeper = Keeper(int(message), descriptors[0], link, shape)
        self._forked.append(keeper)
        if self._warden.cgroups:
            keeper.group = self._warden.cgroups.make()
            keeper.group.attach(keeper.pid)  # before it forks
        keeper.link.send(b"go")
        self._warden.selector.register(link, selectors.EVENT_READ, lambda mask: self._on_ready(keeper))

    def _on_ready(self, keeper: Keeper) -> None:
        self._warden.selector.unregister(keeper.link)
        self._forked.remove(keeper)
        if not keeper.hear()[0]:
            self._fail("a keeper ended at its start; the kernel refuses a step of the isolation")
            return
        self._ready.append(keeper)
        self._hand_out()

    def _hand_out(self) -> None:
        for shape, use in list(self._waiting):
            keeper = next((keeper for keeper in self._ready if keeper.shape == shape), None)
            if keeper:
                self._waiting.remove((shape, use))
                self._ready.remove(keeper)
                use(keeper)
        while len(self._ready) > 2 * self._count:  # shapes that nobody asks for any more
            self._discard(self._ready.pop(0))
        self._fill()

    def _fail(self, why: str) -> None:
        self.trouble = why
        self._warden.selector.unregister(self._control)
        while self._waiting:
            self._waiting.popleft()[1](None)

    def _discard(self, keeper: Keeper) -> None:
        keeper.signal(signal.SIGKILL)
        wait_for_end(keeper.pidfd)
        keeper.close()


def wait_for_end(pidfd: int, timeout_ms: int = 5000) -> None:
    """Wait until a process, and with it its namespaces, is gone."""
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll(timeout_ms)
