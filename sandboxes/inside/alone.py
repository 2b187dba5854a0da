"""Where a kernel has neither Landlock nor pidfds (gVisor's, or an old one), one container serves one submission.

Nothing could keep two keepers of the same user apart there, so there is only one: the zygote itself becomes it. Every
process but the warden is then its program's, and it ends them all after each run. When the submission is over, so is the
container.
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

from sandboxes.inside import landlock
from sandboxes.inside.root import SCRATCH
from sandboxes.inside.spares import Keeper, Shape, Slot, Spares, Use, bootstrap, hear, wait_for_end

if TYPE_CHECKING:
    from sandboxes.inside.warden import Warden

TIER = "alone"


def is_needed() -> bool:
    """Whether this kernel lacks what a fork server for several keepers takes."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return True
    return landlock.abi() < landlock.SCOPES_SINCE


class OnlyKeeper(Keeper):
    """A keeper whose end shows on a pipe that it holds open, and which only its pid names."""

    def signal(self, number: int) -> None:
        """Send a signal; it may be gone already."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Alone(Spares):
    """A fork server with one keeper, which is the same process."""

    def __init__(self, warden: "Warden", policy: dict[str, Any], python: str) -> None:
        """Start it.

        Args:
            warden: whose event loop and control group are used.
            policy: what the zygote is told.
            python: the interpreter that programs of the policy run in.
        """
        self._warden, self._name = warden, policy["name"]
        self.isolated = self.out_of_reach = False
        self.trouble: str | None = None
        self._use: Use | None = None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline, held = os.pipe()
        with theirs:
            self._process = subprocess.Popen(
                [python, *bootstrap("zygote", theirs.fileno())], pass_fds=[theirs.fileno(), held], env=policy["env"],
                cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        os.close(held)
        ours.send(json.dumps({**policy, "tier": TIER}).encode())
        slot = Slot(ours, warden.cgroups.make() if warden.cgroups else None)
        self._keeper = OnlyKeeper(slot, ours, policy["shape"], self._process.pid, lifeline, SCRATCH)
        self._is_ready = False
        warden.selector.register(ours, selectors.EVENT_READ, self._on_word)

    def take(self, shape: Shape, use: Use) -> None:
        """Give the keeper to `use` when it is ready; None when it is gone, or was given before."""
        if self.trouble or self._use:
            use(None)
            return
        self._use = use
        self._deliver_if_ready()

    def end(self, keeper: Keeper, then: Callable[[], None]) -> None:
        """Kill the keeper. When it is gone, `then` is called."""
        keeper.kill()
        self._warden.selector.register(keeper.pidfd, selectors.EVENT_READ, partial(self._on_ended, keeper, then))

    def close(self) -> None:
        """End it."""
        self._keeper.kill()
        wait_for_end(self._keeper.pidfd)

    def _on_ended(self, keeper: Keeper, then: Callable[[], None], mask: int) -> None:
        self._warden.selector.unregister(keeper.pidfd)
        self.trouble = "the container has served its submission"
        then()

    def _on_word(self, mask: int) -> None:
        message, _ = hear(self._keeper.link)
        if message == b"ready":
            self._is_ready = True
            self._warden.selector.unregister(self._keeper.link)
            self._deliver_if_ready()
            return
        answer = json.loads(message or b'{"error": "the fork server ended at its start"}')
        self._warden.say({"policy": self._name, **answer})
        if "error" in answer:
            self.trouble = answer["error"]
            self._warden.selector.unregister(self._keeper.link)

    def _deliver_if_ready(self) -> None:
        if self._is_ready and self._use:
            self._use(self._keeper)
