"""The warden of a container: its first process. It speaks with the server over its standard streams.

The container supplies what namespaces supply elsewhere: mounts, network, pids, and limits of memory, processes and
disk. These hold for one submission at a time, so it serves one after the other, and between two of them the server asks
whether it is tidy. When the server is gone, standard input ends, and with the first process everything else does.

Orders beyond a warden's: `survey` (of what the image has); `tidy`; `join` (run a box whose link leads to another
container), then `feed` and `go_on` for what crosses that link, and `stop`.
"""

import os
import resource
import signal
from functools import cache
from pathlib import Path
from typing import Any

from sandboxes.inside import alone, clearing, kernel, toolchains
from sandboxes.inside.box import Box
from sandboxes.inside.cgroups import PREFIX, Cgroups, GivenCgroups, NoCgroups, owner_is_gone
from sandboxes.inside.relay import Relay
from sandboxes.inside.root import SCRATCH
from sandboxes.inside.warden import Warden


class ContainerWarden(Warden):
    """A warden that is alone in its container, and keeps it clean."""

    def __init__(self, server: tuple[int, int], cgroups: Cgroups | None) -> None:
        super().__init__(server, cgroups)
        self._relays: dict[int, Relay] = {}
        self._asked_for_tidiness = False

    def forget(self, box: Box) -> None:
        """A box that was left has ended."""
        super().forget(box)
        self._say_whether_tidy()

    def _do_open(self, box: int, policy: str, spec: dict[str, Any], files: list[list[Any]], blobs: list[bytes]) -> None:
        # RLIMIT_NPROC would count every process of this user on the machine; the container counts those in here.
        limits = {name: most for name, most in spec["rlimits"].items() if name != "RLIMIT_NPROC" and _is_known(name)}
        spec["rlimits"] = limits
        super()._do_open(box, policy, spec, files, blobs)

    def _do_join(self, box: int, run: int, terms: dict[str, Any], blobs: list[bytes]) -> None:
        relay = self._relays[box] = Relay(self, box)
        self._boxes[box].run(run, terms, b"", link=relay.programs_end)

    def _do_feed(self, box: int, blobs: list[bytes]) -> None:
        if box in self._relays:
            self._relays[box].feed(blobs[0])
        else:
            self.say({"relayed": box})

    def _do_go_on(self, box: int, blobs: list[bytes]) -> None:
        if box in self._relays:
            self._relays[box].go_on()

    def _do_stop(self, box: int, blobs: list[bytes]) -> None:
        self._boxes[box].stop("judge")

    def _do_close(self, box: int, blobs: list[bytes]) -> None:
        if box in self._relays:
            self._relays.pop(box).close()
        super()._do_close(box, blobs)

    def _do_tidy(self, blobs: list[bytes]) -> None:
        self._asked_for_tidiness = True
        self._say_whether_tidy()

    def _say_whether_tidy(self) -> None:
        ending = self._boxes or self._leaving or any(spares.ending for spares in self._policies.values())
        if self._asked_for_tidiness and not ending:
            self._asked_for_tidiness = False
            self.say({"mess": self._strays() or _litter()})

    def _do_survey(self, languages: dict[str, Any], blobs: list[bytes]) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # tools are waited for
        self.say({"survey": toolchains.survey(languages)})
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    def _do_start(self, policy: dict[str, Any], python: str, spares: int, most: int, blobs: list[bytes]) -> None:
        if policy["tier"] == "alone" or alone.is_needed():
            self._policies[policy["name"]] = alone.Alone(self, policy, python)
        else:
            super()._do_start(policy, python, spares, most, blobs)

    def _strays(self) -> str:
        """Processes whose keeper is gone: their orphans fall to us. Who is alone has ended them."""
        if any(isinstance(spares, alone.Alone) for spares in self._policies.values()):
            return ""
        ours = {spares.zygote_pid for spares in self._policies.values()}
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        strays = [pid for pid in children if int(pid) not in ours]
        return f"processes {', '.join(strays[:10])} are left" if strays else ""

    def _end_everything(self) -> None:
        """The kernel does, when the first process ends."""


@cache
def _is_known(limit: str) -> bool:
    """Whether the kernel has this limit; gVisor's has not all of Linux's."""
    number = getattr(resource, limit)
    try:
        resource.setrlimit(number, resource.getrlimit(number))
    except (ValueError, OSError):
        return False
    return True


def _litter() -> str:
    """Remove what ended keepers left; what then lies there beside the work folders of those that wait."""
    for name in os.listdir(SCRATCH):
        if owner_is_gone(name):
            clearing.remove(f"{SCRATCH}/{name}")
    left = [name for name in os.listdir(SCRATCH) if not name.startswith(PREFIX) or owner_is_gone(name)]
    return f"{len(left)} files are left in {SCRATCH}" if left else ""


def main(argument: object) -> None:
    """Serve standard input and output; nothing else may write there."""
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # programs of the same user do not look into this process
    answers = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans fall to the first process; the kernel reaps them
    cgroups, said = None, ""
    try:
        cgroups = GivenCgroups()
        said = f"version {cgroups.version}, the container's own"
    except NoCgroups as error:
        said = str(error)
    warden = ContainerWarden((0, answers), cgroups)
    warden.say({"hello": os.getpid(), "cgroups": cgroups is not None, "cgroups_detail": said})
    warden.serve()
