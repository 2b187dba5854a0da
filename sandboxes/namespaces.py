"""The embedded backend: Linux namespaces around warm fork servers. No daemon, and no root where they are allowed.

`tier="full"` gives each submission new user, pid, mount, network, ipc and uts namespaces, a read-only root with a
private tmpfs, no capability, no_new_privs, Landlock, seccomp, rlimits, and control groups where they can be had.
`tier="landlock"` is what is left without namespaces; it is used only when it is asked for.
"""

import asyncio
import hashlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

from sandboxes.boxes import Artefacts, Box, NotCompiled, Origin, linked, opened, shape_of
from sandboxes.errors import SandboxFault, SandboxMisconfigured, SandboxUnavailable
from sandboxes.inside.spares import bootstrap
from sandboxes.layers import Layer, layers_of
from sandboxes.policy import Policy, base_python, chosen, find_policies
from sandboxes.sweep import sweep_here
from sandboxes.types import Limits, Program, SandboxResult, Submission
from sandboxes.warden_link import WardenLink

Tier = Literal["full", "landlock"]
NOBODY_UID = 65534
_WARDEN_ENV = {"PYTHONHASHSEED": "0", "MALLOC_MMAP_THRESHOLD_": "131072"}
"""With a fixed threshold the C library gives the memory of large outputs back as soon as they are sent."""
_PER_TURN = 3
"""Sandboxes that one turn may hold: what is open, and two linked programs beside it."""
_REMEDIES = {
    "full": "where it is namespaces that are refused: allow them (user.max_user_namespaces over 0,"
    " kernel.unprivileged_userns_clone = 1, kernel.apparmor_restrict_unprivileged_userns = 0; in a container"
    " seccomp=unconfined), or name the weaker tier, landlock",
    "landlock": "see which layers hold with `env-server sandbox doctor`",
}


class NamespaceSandbox:
    """Runs programs on this machine. All methods belong to the event loop that `start` ran on."""

    def __init__(
        self, *, tier: Tier = "full", parallel: int | None = None, python: str | None = None, cgroup: str = "",
        policies: Mapping[str, Policy] | None = None,
    ) -> None:  # fmt: skip
        """Nothing runs yet.

        Args:
            tier: `full`, or `landlock` to do without namespaces.
            parallel: submissions at once; by default one for each core.
            python: interpreter for Python programs; by default the server's own without its packages.
            cgroup: a delegated control group (version 2) to use; empty looks for one, `-` uses none.
            policies: the languages; by default those that ship.
        """
        self._tier, self._cgroup = tier, cgroup
        cores = os.cpu_count() or 1
        self._parallel = parallel or cores
        self._spares = min(self._parallel, cores)
        self._policies = dict(policies or find_policies(python))
        self._artefacts = Artefacts()
        # What is open may run something beside it (a checker), so that the two must not wait for the same slots.
        self._open_slots = asyncio.Semaphore(self._parallel)
        self._run_slots = asyncio.Semaphore(self._parallel)
        self._connecting = asyncio.Lock()
        self._link: WardenLink | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    @property
    def backend(self) -> str:
        """Name and tier."""
        return f"namespaces:{self._tier}"

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The languages, whether they can run here or not."""
        return self._policies

    def policy_digest(self, language: str) -> str:
        """Digest of tier and policy, toolchain version included. Raises SandboxMisconfigured."""
        policy = chosen(self._policies, language)
        return "sha256:" + hashlib.sha256(f"{self._tier} {policy.digest}".encode()).hexdigest()

    async def start(self) -> None:
        """Remove what dead wardens left, start our own and the Python fork server, and let the canaries try to get out.

        Raises:
            SandboxMisconfigured: this machine cannot give the isolation, or a canary got out.
            SandboxUnavailable: it did not start in time.
        """
        from sandboxes.attack_suite import canaries

        await asyncio.to_thread(sweep_here, self._cgroup)
        await self._connected("python")
        escaped = [result for result in await canaries(self) if not result.contained]
        if escaped:
            await self.close()
            raise SandboxMisconfigured(f"the sandbox does not hold: {escaped[0].id}: {escaped[0].detail}")

    async def layers(self) -> list[Layer]:
        """Which layers of isolation hold, and what to do about those that do not. Raises SandboxFault."""
        link = await self._connected("python")
        return layers_of(self._tier, await self._started(link, "python"), await link.hello())

    @asynccontextmanager
    async def open(self, program: Program) -> AsyncIterator[Submission]:
        """A sandbox for one submission. Raises SandboxFault."""
        async with self._open_slots, self._opened(program) as submission:
            yield submission

    async def run(self, program: Program, stdin: bytes = b"") -> SandboxResult:
        """Open, run once, close. Raises SandboxFault."""
        async with self._run_slots, self._opened(program) as submission:
            return await submission.run(stdin, last=True)

    async def run_linked(self, judge: Program, candidate: Program) -> tuple[SandboxResult, SandboxResult]:
        """Run two programs with a socket between them. Raises SandboxFault."""
        async with self._run_slots, self._opened(judge) as first, self._opened(candidate) as second:
            return await linked(lambda warden, _: warden, first, second)

    async def close(self) -> None:
        """End the warden and, with it, everything it started."""
        self._closed = True
        link, self._link = self._link, None
        if link:
            await link.close()
        await self._end_process()

    @asynccontextmanager
    async def _opened(self, program: Program) -> AsyncIterator[Box | NotCompiled]:
        policy = chosen(self._policies, program.language)
        link = await self._connected(policy.name)
        origin = Origin(self.backend, self.policy_digest(policy.name))
        async with opened(link, policy, program, origin, self._artefacts) as submission:
            yield submission

    async def _connected(self, language: str) -> WardenLink:
        """The warden, started again if it was lost, with the language's fork server."""
        if self._closed:
            raise SandboxUnavailable("the sandbox is closed")
        async with self._connecting:
            if self._link is None or self._link.lost:
                if self._process:
                    await self._end_process()
                    await asyncio.to_thread(sweep_here, self._cgroup)
                self._link = await self._start_warden()
            link = self._link
        await self._started(link, language)
        return link

    async def _started(self, link: WardenLink, language: str) -> dict[str, Any]:
        policy = chosen(self._policies, language)
        if "digest" not in vars(policy):
            await asyncio.to_thread(getattr, policy, "digest")  # asks the toolchain for its version
        told = partial(policy.for_zygote, self._tier, NOBODY_UID, shape_of(Limits()))
        try:
            return await link.start(
                language, told, policy.names["python"], spares=self._spares, most=_PER_TURN * self._parallel
            )
        except SandboxMisconfigured as error:
            raise SandboxMisconfigured(f"{error}; {_REMEDIES[self._tier]}") from error

    async def _start_warden(self) -> WardenLink:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            # Of the thread that calls: PR_SET_PDEATHSIG fires when the *thread* that forked ends.
            self._process = subprocess.Popen(
                [base_python(), *bootstrap("warden", [str(theirs.fileno()), self._cgroup])],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=_WARDEN_ENV, cwd="/",
            )  # fmt: skip
        reader, writer = await asyncio.open_connection(sock=ours)
        link = self._link = WardenLink(reader, writer)  # for `close`, which may not wait for the rest
        try:
            await link.hello()
        except (SandboxFault, asyncio.CancelledError):  # or it would wait for us, and we for its end
            await link.close()
            raise
        return link

    async def _end_process(self) -> None:
        """Give the warden a moment to remove what it made, then end it."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            await asyncio.to_thread(process.wait, 5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
