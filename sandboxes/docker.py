"""The container backend: a warm pool of containers without network, rights or writable root, each with a fork server.

A submission has a container to itself. In it runs what runs in the embedded backend too, without namespaces of its
own: the container has those, and limits of memory, processes, disk and CPU. So a run costs a fork. The engine has to be
on this machine.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from sandboxes.boxes import Artefacts, Box, NotCompiled, Origin, boxed, compiled, linked
from sandboxes.container_link import ContainerLink, Joint
from sandboxes.container_pool import ContainerPool
from sandboxes.containers import Container, Shape, Source, Tier, shape_for, start_container
from sandboxes.docker_engine import Engine, Room
from sandboxes.errors import SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.image_policies import policies_of, questions
from sandboxes.layers import Layer
from sandboxes.policy import Policy, chosen
from sandboxes.types import MIB, Limits, Program, SandboxResult, Submission

_SURVEY = Room(memory_bytes=1024 * MIB, pids=256, disk_bytes=64 * MIB, inodes=4096)
_SCOPES_ABI = 6


class DockerSandbox:
    """Runs programs in containers on this machine. All methods belong to the event loop that `start` ran on."""

    def __init__(
        self, image: str, *, runtime: str | None = None, tier: Tier = "landlock", parallel: int | None = None
    ) -> None:
        """Nothing runs yet.

        Args:
            image: by digest: an image's id (`sha256:...`), or `name@sha256:...`.
            runtime: one of the engine's, for instance `runsc`; by default the engine's own choice.
            tier: `landlock` lets the next submission's processes be made ahead in the same container; `alone`, which
                costs each submission the start of an interpreter, is used anyway where the kernel cannot keep the two
                apart: before Linux 6.12, and under gVisor.
            parallel: submissions at once; by default one for each core. There are up to three times as many containers.
        """
        self._image, self._runtime, self._tier = image, runtime, tier
        self._parallel = parallel or os.cpu_count() or 1
        self._policies: Mapping[str, Policy] = {}
        self._artefacts = Artefacts()
        # What is open may run something beside it (a checker), so that the two must not wait for the same slots.
        self._open_slots = asyncio.Semaphore(self._parallel)
        self._run_slots = asyncio.Semaphore(self._parallel)
        self._preparing = asyncio.Lock()
        self._engine: Engine | None = None
        self._pool: ContainerPool | None = None
        self._closed = False

    @property
    def backend(self) -> str:
        """Name, and the runtime if one was chosen."""
        return f"docker:{self._runtime}" if self._runtime else "docker"

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The languages, whether the image has them or not; none before `start`."""
        return self._policies

    def policy_digest(self, language: str) -> str:
        """Digest of policy, toolchain version, image and runtime. Raises SandboxFault, always so before `start`."""
        if not self._policies:
            raise SandboxUnavailable("the sandbox has not been started")
        return chosen(self._policies, language).digest

    async def start(self) -> None:
        """Remove what dead servers left, find out what the image has, and let the canaries try to get out.

        Raises:
            SandboxMisconfigured: engine, image or machine cannot give the isolation, or a canary got out.
            SandboxUnavailable: the engine failed.
        """
        from sandboxes.attack_suite import canaries

        pool = await self._ready()
        pool.make_ahead(shape_for(chosen(self._policies, "python"), Limits()))
        escaped = [result for result in await canaries(self) if not result.contained]
        if escaped:
            await self.close()
            raise SandboxMisconfigured(f"the sandbox does not hold: {escaped[0].id}: {escaped[0].detail}")

    async def layers(self) -> list[Layer]:
        """Which layers of isolation hold, and what to do about those that do not. Raises SandboxFault."""
        await self._ready()
        policy = chosen(self._policies, "python")
        async with self._lent(policy, Limits(), 0) as link:
            return _layers(await link.hello(), await link.started(policy.name))

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
        """Run two programs, each in a container of its own, with a socket between them. Raises SandboxFault."""
        async with self._run_slots, self._opened(judge) as first, self._opened(candidate) as second:
            return await linked(Joint, first, second)

    async def close(self) -> None:
        """End every run and remove every container."""
        self._closed = True
        async with self._preparing:
            if self._pool:
                await self._pool.close()
            if self._engine:
                self._engine.close()

    @asynccontextmanager
    async def _opened(self, program: Program) -> AsyncIterator[Box | NotCompiled]:
        await self._ready()
        policy = chosen(self._policies, program.language)
        origin = Origin(self.backend, policy.digest)
        size = len(program.source) + sum(map(len, program.files.values()))
        made = None
        if policy.table.compile:
            lend = partial(self._lent, policy, policy.table.compile.limits, size)
            made = await compiled(lend, policy, program, origin, self._artefacts)
            if made is not None and made.exit_code != 0:
                yield NotCompiled(made)
                return
        async with (
            self._lent(policy, policy.raised(program.limits), size) as link,
            boxed(link, policy, program, origin, made) as box,
        ):
            yield box

    @asynccontextmanager
    async def _lent(self, policy: Policy, limits: Limits, request_bytes: int) -> AsyncIterator[ContainerLink]:
        pool = await self._ready()
        async with pool.lent(shape_for(policy, limits)) as container:
            await container.carry(request_bytes)
            yield container.link

    async def _ready(self) -> ContainerPool:
        """The containers, once engine and image are known to be usable. Raises SandboxFault."""
        async with self._preparing:
            if self._closed:
                raise SandboxUnavailable("the sandbox is closed")
            if self._pool is None:
                self._pool = await self._prepared()
            return self._pool

    async def _prepared(self) -> ContainerPool:
        async with AsyncExitStack() as undo:
            engine = await asyncio.to_thread(Engine)
            undo.callback(engine.close)
            await asyncio.to_thread(_remove_orphans, engine)
            image = await asyncio.to_thread(engine.image_id, self._image)
            runtime = await asyncio.to_thread(engine.usable_runtime, self._runtime)
            source = Source(engine, image, runtime, self._tier)
            self._policies = policies_of(await _survey(source), f"{source.image} {source.runtime}")
            self._engine = engine
            undo.pop_all()
        return ContainerPool(partial(self._made, source), most=3 * self._parallel)

    async def _made(self, source: Source, shape: Shape) -> Container:
        container = await start_container(source, shape.room)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(container.end)
            await container.serve(self._policies[shape.language], shape)
            undo.pop_all()
        return container


def sweep_containers() -> list[str]:
    """Remove the containers of dead servers; which they were. Does nothing where no engine can be used."""
    try:
        engine = Engine()
    except SandboxMisconfigured:
        return []
    try:
        return _remove_orphans(engine)
    except SandboxUnavailable:
        return []
    finally:
        engine.close()


def _remove_orphans(engine: Engine) -> list[str]:
    orphans = engine.orphans()
    for container in orphans:
        engine.remove(container)
    return [f"container {container[:12]}" for container in orphans]


async def _survey(source: Source) -> dict[str, dict[str, Any]]:
    try:
        container = await start_container(source, _SURVEY)
    except SandboxLost as lost:
        raise SandboxMisconfigured(f"{lost}; the image needs python3, 3.11 or newer, on its PATH") from lost
    try:
        return await container.link.survey(questions())
    finally:
        await container.end()


def _layers(hello: dict[str, Any], zygote: dict[str, Any]) -> list[Layer]:
    landlock = int(zygote["landlock"])
    scoped = landlock >= _SCOPES_ABI
    return [
        Layer("container", True, "pid, mount, network, ipc and uts namespaces for one submission at a time"),
        Layer("network", True, "none"),
        Layer("read-only root", True, "and a private tmpfs of bounded size"),
        Layer("ordinary user", True, "65534, with no capability, and no_new_privs set"),
        Layer("engine's limits", True, "memory, swap, processes, CPU"),
        Layer("seccomp", True, "allow-list of system calls, behind the engine's own profile"),
        Layer("landlock", landlock > 0, f"ABI {landlock}", "" if landlock else "run Linux 5.13 or newer, Landlock on"),
        Layer(
            "landlock scopes", scoped,
            "signals, abstract sockets" if scoped else "none, so that each submission takes a new interpreter",
            "" if scoped else "run Linux 6.12 or newer",
        ),
        Layer("rlimits", True, "CPU, file size, open files, stack, core"),
        Layer(
            "control groups", bool(hello["cgroups"]), str(hello["cgroups_detail"]),
            "" if hello["cgroups"] else "show containers their own control group: it counts memory and CPU time",
        ),
    ]  # fmt: skip
