"""How many operations a second a device could do at best."""

import re
import time
from dataclasses import dataclass

import torch

_TENSOR_CORES = (
    ("B200", 2250e12),
    ("H200 NVL", 835e12),
    ("H200", 989e12),
    ("H100 NVL", 835e12),
    ("H100 PCIe", 756e12),
    ("H100", 989e12),
    ("L40S", 362e12),
    ("L40", 181e12),
    ("A100", 312e12),
    ("RTX A6000", 155e12),
    ("A10", 125e12),
    ("L4", 121e12),
)
"""bfloat16 without sparsity, by the makers' data sheets. All words have to be in a device's name, and the first such
entry is taken."""
_SIZE, _TRIES = 1024, 5


@dataclass(frozen=True, slots=True)
class Peak:
    """Operations a second, and where the number is from."""

    flops: float
    source: str


def device_name(device: torch.device) -> str:
    """What the device calls itself."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def known_peak(name: str, dtype: str) -> Peak | None:
    """The data sheet's number for a device of this name; none for CPUs, for float32, which has several, and for a part
    of a device (MIG)."""
    words = set(re.split(r"[^A-Za-z0-9]+", name))
    if "MIG" in words:
        return None
    found = next((flops for called, flops in _TENSOR_CORES if words.issuperset(called.split())), None)
    return Peak(found, f"data sheet of {name}, bfloat16") if found and dtype == "bfloat16" else None


def of_ranks(peak: Peak, ranks: int) -> Peak:
    """Of so many devices like this one."""
    return peak if ranks == 1 else Peak(ranks * peak.flops, f"{ranks} ranks, of each: {peak.source}")


def measured_peak(device: torch.device, dtype: str) -> Peak:
    """The best of a few products of square matrices, with as many threads as torch has now."""
    left, right = (torch.randn(_SIZE, _SIZE, device=device).to(getattr(torch, dtype)) for _ in range(2))
    seconds = min(_product_s(left, right) for _ in range(_TRIES))
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    return Peak(2 * _SIZE**3 / seconds, f"measured here: a product of {_SIZE} x {_SIZE} in {dtype}{threads}")


def _product_s(left: torch.Tensor, right: torch.Tensor) -> float:
    repeats = 1 if left.device.type == "cpu" else 50
    _wait(left.device)
    started = time.perf_counter()
    for _ in range(repeats):
        left @ right
    _wait(left.device)
    return (time.perf_counter() - started) / repeats


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
