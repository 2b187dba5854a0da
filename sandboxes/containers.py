"""One warm container: a warden and the fork server of one language, for one submission at a time."""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from sandboxes.boxes import shape_of
from sandboxes.container_link import ContainerLink
from sandboxes.docker_engine import NOBODY_UID, OUR_CODE, Engine, Room, has_own_kernel
from sandboxes.errors import SandboxFault, SandboxLost
from sandboxes.inside.spares import bootstrap
from sandboxes.policy import Policy
from sandboxes.types import MIB, Limits

LOG = logging.getLogger(__name__)
_CARRIED_BYTES = 16 * MIB
_COPIES = 4
"""How often a warden holds a request, or an output, at worst."""
_OURS_BYTES, _OURS_PIDS = 64 * MIB, 6
"""What warden, fork server, its slot, the keeper and the next one with its child take."""
_OUR_DISK_BYTES, _OUR_INODES = MIB, 16


@dataclass(frozen=True)
class Shape:
    """What of a submission is fixed when its container is made."""

    language: str
    memory_bytes: int
    pids: int
    disk_bytes: int
    inodes: int

    @property
    def room(self) -> Room:
        """That, and what is ours on top of it."""
        return Room(
            memory_bytes=self.memory_bytes + _OURS_BYTES + _CARRIED_BYTES,
            pids=self.pids + _OURS_PIDS,
            disk_bytes=self.disk_bytes + _OUR_DISK_BYTES,
            inodes=self.inodes + _OUR_INODES,
        )


def shape_for(policy: Policy, limits: Limits) -> Shape:
    """The container that leaves a program what its limits say.

    Files in the scratch space are memory too: one that has filled it must not take what warden and fork server need.
    """
    memory_bytes = max(limits.memory_bytes, limits.disk_bytes) + _COPIES * limits.output_bytes
    return Shape(policy.name, memory_bytes, limits.pids, **shape_of(limits))


Tier = Literal["landlock", "alone"]


@dataclass(frozen=True)
class Source:
    """Where containers come from."""

    engine: Engine
    image: str
    """Its id."""
    runtime: str
    tier: Tier


class Container:
    """A container and its warden; what the engine has to be asked about one."""

    def __init__(
        self, source: Source, ident: str, room: Room, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._engine, self._runtime, self._tier, self._ident = source.engine, source.runtime, source.tier, ident
        self._room_bytes = self._memory_bytes = room.memory_bytes
        self.link = ContainerLink(reader, writer, self)

    async def carry(self, request_bytes: int) -> None:
        """Have memory for a request of that size. Raises SandboxFault."""
        if has_own_kernel(self._runtime):  # its container cannot be changed: the request counts as the program's memory
            return
        needed = self._room_bytes + max(0, _COPIES * request_bytes - _CARRIED_BYTES)
        if needed > self._memory_bytes:
            await asyncio.to_thread(self._engine.give_memory, self._ident, needed)
            self._memory_bytes = needed

    async def ended_by_its_program(self, since: float, *, hangs: bool) -> dict[str, Any] | None:
        """What is known of an end that its program brought about: by its memory or, if it can, through its kernel.

        Raises:
            SandboxFault: the engine does not say.
        """
        own_kernel = has_own_kernel(self._runtime)
        if hangs:
            return {"stopped": "wall"} if own_kernel else None
        events = await asyncio.to_thread(self._engine.events, self._ident, since)
        if "oom" in events:
            return {"out_of_memory": True}
        return {} if own_kernel and "die" in events and "kill" not in events else None

    async def serve(self, policy: Policy, shape: Shape) -> None:
        """Start the fork server of a language. Raises SandboxFault."""
        scratch = {"disk_bytes": shape.disk_bytes, "inodes": shape.inodes}
        told = partial(policy.for_zygote, self._tier, NOBODY_UID, scratch)
        await self.link.start(policy.name, told, policy.names["python"], spares=1, most=1)

    async def reusable(self) -> bool:
        """Whether nothing at all is left of the submissions so far."""
        if self._memory_bytes > self._room_bytes:
            return False
        try:
            mess = await self.link.mess()
        except SandboxFault as fault:
            mess = str(fault)
        if mess:
            LOG.info("a container is not used again: %s", mess)
        return not mess

    async def end(self) -> None:
        """End it and everything in it, and wait until it is gone. Raises SandboxFault."""
        await self.link.close()
        await asyncio.to_thread(self._engine.remove, self._ident)


async def start_container(source: Source, room: Room) -> Container:
    """A container whose warden answers.

    Raises:
        SandboxLost: its first process ended, saying why.
        SandboxFault: the engine cannot start a container.
    """
    arguments = bootstrap("container", None, OUR_CODE)
    ident, streams = await asyncio.to_thread(source.engine.start, source.image, source.runtime, room, arguments)
    async with AsyncExitStack() as undo:
        container = Container(source, ident, room, *await asyncio.open_connection(sock=streams))
        undo.push_async_callback(container.end)
        try:
            await container.link.hello()
        except SandboxLost as lost:
            said = container.link.complaint.decode("utf-8", "replace").strip().rpartition("\n")[2] or "nothing"
            raise SandboxLost(f"a container of {source.image} ended at its start; it said: {said}") from lost
        undo.pop_all()
    return container
