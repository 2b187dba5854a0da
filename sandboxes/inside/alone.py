"""A fork server for one keeper at a time, where a kernel cannot keep two apart: without Landlock's scopes, or without
descriptors of processes. gVisor's is such a kernel, and so is Linux before 6.12.

Only the first process of a container may use it: everything else there is the keeper's and its program's. A keeper ends
them all after each run, the warden after each submission, and then another process takes the keeper's place.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sandboxes.inside import clearing, landlock
from sandboxes.inside.root import SCRATCH
from sandboxes.inside.spares import Keeper, Shape, Slot, Use, bootstrap, hear, wait_for_end

if TYPE_CHECKING:
    from sandboxes.inside.warden import Warden


def is_needed() -> bool:
    """Whether this kernel cannot keep keepers of the same user apart."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return True
    return landlock.abi() < landlock.SCOPES_SINCE


class OnlyKeeper(Keeper):
    """A keeper that has the container to itself. Its end shows on a pipe that it holds open."""

    def signal(self, number: int) -> None:
        """Send a signal; it may be gone already."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End everything but the first process."""
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)


class Alone:
    """The zygote of a policy, which is its own keeper."""

    def __init__(self, warden: "Warden", policy: dict[str, Any], python: str) -> None:
        """Start it.

        Args:
            warden: whose event loop and control group are used.
            policy: what the zygote is told.
            python: the interpreter that programs of the policy run in.
        """
        self._warden, self._policy, self._python = warden, {**policy, "tier": "alone"}, python
        self.isolated = self.out_of_reach = False
        self.trouble: str | None = None
        self._use: Use | None = None
        self._ending: set[Keeper] = set()
        self._answered = False
        self._start()

    @property
    def zygote_pid(self) -> int:
        """The process that is fork server and keeper."""
        return self._keeper.pid

    @property
    def ending(self) -> bool:
        """Whether a keeper was killed and is not gone yet."""
        return bool(self._ending)

    def take(self, shape: Shape, use: Use) -> None:
        """Give the keeper to `use` when it is ready; None when there can be none."""
        if self.trouble:
            use(None)
            return
        self._use = use
        self._hand_over()

    def end(self, keeper: Keeper, then: Callable[[], None]) -> None:
        """Kill the keeper. When it is gone another is started, and `then` is called."""
        self._is_ready = False
        self._ending.add(keeper)
        keeper.kill()
        self._warden.selector.register(keeper.pidfd, selectors.EVENT_READ, partial(self._on_end, keeper, then))

    def close(self) -> None:
        """End it."""
        self._keeper.kill()
        wait_for_end(self._keeper.pidfd)

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline, held = os.pipe()
        with theirs:
            self._process = subprocess.Popen(
                [self._python, *bootstrap("zygote", theirs.fileno())], pass_fds=[theirs.fileno(), held],
                env=self._policy["interpreter_env"], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        os.close(held)
        ours.send(json.dumps(self._policy).encode())
        slot = Slot(ours, self._warden.cgroups.make() if self._warden.cgroups else None)
        self._keeper = OnlyKeeper(slot, ours, self._policy["shape"], self._process.pid, lifeline)
        self._is_ready = False
        self._warden.selector.register(ours, selectors.EVENT_READ, self._on_word)

    def _on_word(self, mask: int) -> None:
        message, _ = hear(self._keeper.link)
        if message == b"ready":
            self._is_ready = True
            self._warden.selector.unregister(self._keeper.link)
            self._hand_over()
            return
        answer = json.loads(message or b'{"error": "the fork server ended at its start"}')
        if not self._answered:
            self._warden.say({"policy": self._policy["name"], **answer})
        self._answered = True
        if "error" in answer:
            self._warden.selector.unregister(self._keeper.link)
            self.trouble = answer["error"]
            self._hand_over()

    def _hand_over(self) -> None:
        if self._use and (self._is_ready or self.trouble):
            use, self._use = self._use, None
            use(None if self.trouble else self._keeper)

    def _on_end(self, keeper: Keeper, then: Callable[[], None], mask: int) -> None:
        self._warden.selector.unregister(keeper.pidfd)
        self._ending.remove(keeper)
        keeper.close()
        with suppress(OSError):  # what resists is found before the next submission
            clearing.empty(SCRATCH)
        self._start()
        then()
