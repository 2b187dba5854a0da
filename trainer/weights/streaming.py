"""Tensors into a safetensors file one after the other: no more than one of them is in memory at a time.

The header of such a file says where each tensor lies, and may end in spaces: room is left for it, it is written last.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from rewarders.errors import TrainingError

_ROOM: Final = 4 << 20
"""Bytes of header: about 30,000 tensors."""
_NAMES: Final = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}


def write_tensors(path: Path, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Write floating-point tensors by name.

    Raises:
        OSError: there is no room for them.
        TrainingError: there are too many, or they are no floating-point numbers.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    with path.open("wb") as file:
        file.seek(8 + _ROOM)
        for name, value in tensors:
            if value.dtype not in _NAMES:
                raise TrainingError(f"weight {name} is {value.dtype}, and weights are sent as one of {list(_NAMES)}")
            data = value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data
            file.write(data)
            places = [offset, offset + len(data)]
            header[name] = {"dtype": _NAMES[value.dtype], "shape": list(value.shape), "data_offsets": places}
            offset += len(data)
        text = json.dumps(header, separators=(",", ":")).encode()
        if len(text) > _ROOM:
            raise TrainingError(
                f"{len(header)} weights are too many for one file", hint='set sampler.transfer = "nccl"'
            )
        file.seek(0)
        file.write(_ROOM.to_bytes(8, "little") + text.ljust(_ROOM))
