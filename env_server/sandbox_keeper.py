"""Keeps the backend that the configuration names: starts it, says why it cannot be used, closes it."""

import asyncio
from contextlib import suppress
from typing import Protocol

from sandboxes.errors import SandboxFault, SandboxMisconfigured, SandboxUnavailable
from sandboxes.types import Sandbox

_RETRY_PAUSE_S = 10.0


class Backend(Sandbox, Protocol):
    """A sandbox that has to be started. All its methods are called on one event loop."""

    async def start(self) -> None:
        """Get ready, and try the isolation out.

        Raises:
            SandboxMisconfigured: it does not hold here, so nothing may be run.
            SandboxUnavailable: what it needs is not there yet.
        """
        ...


class SandboxKeeper:
    """The service's sandbox. A backend that does not start takes nothing else down with it."""

    def __init__(self, backend: Backend | None) -> None:
        """None where the configuration turns the sandbox off."""
        self._backend = backend
        self._trouble: SandboxFault | None = SandboxUnavailable("the sandbox is being started")
        self._retrying: asyncio.Task[None] | None = None
        if backend is None:
            self._trouble = SandboxMisconfigured(
                "no program can be run here: [sandbox] backend is 'off'; choose namespaces, docker or remote"
            )

    @property
    def trouble(self) -> str | None:
        """Why no program can be run just now, if none can."""
        return str(self._trouble) if self._trouble else None

    def started(self) -> Sandbox:
        """The backend. Raises SandboxFault when it is not there."""
        if self._trouble:
            raise type(self._trouble)(str(self._trouble))
        assert self._backend is not None, "a keeper without a backend has its trouble"
        return self._backend

    async def start(self) -> None:
        """Start the backend. One that is not there yet is tried again in the background."""
        if self._backend is None:
            return
        await self._try(self._backend)
        if self._trouble and self._trouble.retryable:
            self._retrying = asyncio.create_task(self._try_until_it_starts(self._backend))

    async def close(self) -> None:
        """End every run and everything that belongs to the backend."""
        if self._retrying:
            self._retrying.cancel()
            with suppress(asyncio.CancelledError):
                await self._retrying
        if self._backend:
            await self._backend.close()

    async def _try(self, backend: Backend) -> None:
        try:
            await backend.start()
            self._trouble = None
        except SandboxFault as fault:
            self._trouble = fault

    async def _try_until_it_starts(self, backend: Backend) -> None:
        while self._trouble and self._trouble.retryable:
            await asyncio.sleep(_RETRY_PAUSE_S)
            await self._try(backend)
