"""What an `async def` rewarder may reach for. Calls are metered, time-boxed and recorded by whoever provides them."""

from typing import Protocol

from sandboxes.types import Sandbox


class Tools(Protocol):
    """Handed to `async def f(completion, reference, params, tools)`, fresh for each call."""

    @property
    def sandbox(self) -> Sandbox:
        """Where programs run.

        Raises:
            SandboxMisconfigured: the service has none; its `[sandbox]` section turns it off.
        """
        ...
