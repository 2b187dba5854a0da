"""Warm containers: a bounded number, some made ahead, each lent again if nothing is left of whoever had it before."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

from sandboxes.containers import Container, Shape
from sandboxes.errors import SandboxFault, SandboxUnavailable

LOG = logging.getLogger(__name__)


class ContainerPool:
    """Lends containers. All methods belong to one event loop."""

    def __init__(self, make: Callable[[Shape], Awaitable[Container]], most: int) -> None:
        """Nothing is made yet.

        Args:
            make: starts a container; raises SandboxFault.
            most: containers at once; as many as may ever be wanted at once, or who holds one could wait for ever.
        """
        self._make, self._most = make, most
        self._shapes: dict[Container, Shape] = {}
        """Every container there is, lent or not."""
        self._idle: list[Container] = []
        """Those that are not lent, the longest unused first."""
        self._coming: list[Shape] = []
        """What is being made."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._closed = False

    @asynccontextmanager
    async def lent(self, shape: Shape) -> AsyncIterator[Container]:
        """A container of that shape, for one submission. Raises SandboxFault."""
        container = await self._take(shape)
        self.make_ahead(shape)
        try:
            yield container
        finally:
            self._begin(self._take_back(container))

    def make_ahead(self, shape: Shape) -> None:
        """See to it that one of that shape waits for whoever comes next, if there is room for one more."""
        waiting = [*self._coming, *(self._shapes[container] for container in self._idle)]
        if shape not in waiting and self._count < self._most and not self._closed:
            self._begin(self._keep(self._made(shape)))

    async def close(self) -> None:
        """End every container, lent or not."""
        self._closed = True
        self._changed.set()
        for container in list(self._shapes):
            self._drop(container)
        while self._tasks or self._coming:
            self._changed.clear()
            await (asyncio.gather(*self._tasks) if self._tasks else self._changed.wait())

    @property
    def _count(self) -> int:
        return len(self._shapes) + len(self._coming)

    async def _take(self, shape: Shape) -> Container:
        while not self._closed:
            container = self._waiting_one(shape)
            if container:
                self._idle.remove(container)
                return container
            if self._has_room():
                return await self._made_for_us(shape)
            self._changed.clear()
            await self._changed.wait()
        raise SandboxUnavailable("the sandbox is closed")

    def _waiting_one(self, shape: Shape) -> Container | None:
        for container in [container for container in self._idle if container.link.lost]:
            self._drop(container)
        return next((container for container in self._idle if self._shapes[container] == shape), None)

    def _has_room(self) -> bool:
        """Whether another may be made; one of another shape that nobody uses gives way."""
        if self._count >= self._most and self._idle:
            self._drop(self._idle[0])
        return self._count < self._most

    async def _made_for_us(self, shape: Shape) -> Container:
        making = asyncio.create_task(self._made(shape))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            self._begin(self._keep(making))
            raise

    async def _made(self, shape: Shape) -> Container:
        self._coming.append(shape)
        try:
            container = await self._make(shape)
        finally:
            self._coming.remove(shape)
            self._changed.set()
        self._shapes[container] = shape
        if self._closed:
            self._drop(container)
            raise SandboxUnavailable("the sandbox is closed")
        return container

    async def _keep(self, making: Awaitable[Container]) -> None:
        """Have it wait for whoever comes next."""
        try:
            self._put_back(await making)
        except SandboxFault as fault:  # whoever needs one will meet it too
            if not self._closed:
                LOG.warning("no container could be made ahead: %s", fault)

    async def _take_back(self, container: Container) -> None:
        reusable = await container.reusable()
        if container not in self._shapes:  # everything was closed meanwhile
            return
        if reusable:
            self._put_back(container)
        else:
            shape = self._shapes[container]
            self._drop(container)
            self.make_ahead(shape)

    def _put_back(self, container: Container) -> None:
        self._idle.append(container)
        self._changed.set()

    def _drop(self, container: Container) -> None:
        del self._shapes[container]
        if container in self._idle:
            self._idle.remove(container)
        self._changed.set()
        self._begin(_end(container))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _end(container: Container) -> None:
    try:
        await container.end()
    except SandboxFault as fault:  # it ends without us, as soon as its standard input does
        LOG.warning("a container was not removed: %s", fault)
