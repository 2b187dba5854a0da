"""Runs inside vLLM's workers: `vllm serve --worker-extension-cls trainer.weights.worker.SharedWeights`.

The name of a segment comes over the network. It is matched against the one form we write before any path is built from
it, no link is followed, and a segment of another user is refused: nobody can have a server load, or probe for, a file
of their choice.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from trainer.weights.outbox import FILE, PREFIX, SHARED_MEMORY, digest_of

_NAME: Final = re.compile(PREFIX + r"[0-9a-f]{32}/[0-9]{1,12}")


class SharedWeights:
    """What a vLLM worker can do besides what it can by itself."""

    def load_shared_weights(self, name: str, checked: bool = False) -> dict[str, str]:
        """Load the weights of the segment, in the names of the Hugging Face model.

        Returns:
            The SHA-256 of the segment as `digest`, empty unless it is `checked`.

        Raises:
            ValueError: the name is none of ours, or the segment is not this user's own plain file.
            OSError: there is no such segment.
        """
        place = segment(name)
        self.load_named_tensors(_tensors(place))
        return {"digest": digest_of(place) if checked else ""}

    def load_named_tensors(self, tensors: Iterable[tuple[str, Any]]) -> None:
        """Load these weights, in the names of the Hugging Face model. For an engine in the caller's process."""
        worker: Any = self
        worker.reload_weights(weights_iterator=tensors)
        self.renew_packed_copies()

    def renew_packed_copies(self) -> None:
        """Repack what vLLM's reload leaves out on CPUs: an output layer that is tied to the embedding.

        Its packed copy is made from the embedding when the model is loaded, and reloading (seen in 0.32) skips a layer
        that the checkpoint has no weight of. Without this the logits would come from old weights, and nothing say so.
        """
        worker: Any = self
        for layer in worker.model_runner.get_model().modules():
            if hasattr(layer, "cpu_linear") and layer.weight.numel():  # others keep the packed copy alone
                layer.quant_method.process_weights_after_loading(layer)


def segment(name: str) -> Path:
    """The folder behind the name of a segment. Raises as `SharedWeights.load_shared_weights`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("not the name of a segment of weights")
    place = SHARED_MEMORY / name
    for path, expected in ((place.parent, stat.S_ISDIR), (place, stat.S_ISDIR), (place / FILE, stat.S_ISREG)):
        found = path.lstat()
        if not expected(found.st_mode) or found.st_uid != os.getuid():
            raise ValueError(f"{path} is a link, or somebody else's")
    return place


def _tensors(place: Path) -> Iterator[tuple[str, Any]]:
    from safetensors import safe_open

    with safe_open(place / FILE, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 (it is no mapping)
            yield name, file.get_tensor(name)
