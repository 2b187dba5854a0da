"""An adapter on its way to vLLM, without the weights that stay as they are: megabytes instead of gigabytes.

The servers have to hold the model that the run started from, and see the folder of the run under the same path.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from trainer.lora import write_adapter
from trainer.samplers.vllm_adapter import LOAD_ADAPTER, UNLOAD_ADAPTER, adapter_request
from trainer.weights import wire_adapter
from trainer.weights.outbox import Outbox, naming_the_place

SERVED_AS: Final = "assay-adapter"
"""What vLLM calls the adapter; requests name it in place of the model."""


class AdapterTransfer:
    """Every server drops the adapter it has, and loads the new one from a folder.

    Not in place: a server that was told so loads it again, from the folder, for whatever it samples.
    """

    def __init__(
        self,
        servers: Sequence[Any],
        root: Path,
        dtype: torch.dtype,
        on_each: Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]],
    ) -> None:
        self._servers, self._dtype, self._on_each, self._outbox = servers, dtype, on_each, Outbox(root)

    def send(self, model: Any, *, checked: bool) -> None:
        """See `WeightTransfer.send`. Here nothing says what arrived."""
        with self._outbox.folder_for_now() as place:
            with naming_the_place(place):
                write_adapter(place, wire_adapter(model, self._dtype), model)
            self._on_each(lambda server: _replace(server, place), self._servers)

    def close(self) -> None:
        """Remove the folder."""
        self._outbox.close()


def _replace(server: Any, place: Path) -> None:
    if any(known["id"] == SERVED_AS for known in server.get("/v1/models")["data"]):
        server.tell(UNLOAD_ADAPTER, {"lora_name": SERVED_AS})
    server.tell(LOAD_ADAPTER, {"lora_name": SERVED_AS, "lora_path": str(place)})


class EngineAdapter:
    """The adapter of an engine in this process."""

    def __init__(self, root: Path, dtype: torch.dtype) -> None:
        self._outbox, self._dtype, self._sent = Outbox(root), dtype, 0
        self.request: Any = None
        """What a call of the engine's `generate` has to name."""

    def send(self, engine: Any, model: Any) -> None:
        """Load it under a number of its own, so that nothing of the one before is taken for it."""
        self._sent += 1
        with self._outbox.folder_for_now() as place:
            with naming_the_place(place):
                write_adapter(place, wire_adapter(model, self._dtype), model)
            request = adapter_request(SERVED_AS, self._sent, str(place))
            engine.llm_engine.add_lora(request)
            self.request = request

    def close(self) -> None:
        """Remove the folder."""
        self._outbox.close()
