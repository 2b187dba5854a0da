"""Host memory that each rank takes to load a model and shard it, against the size of the model.

    python benchmarks/loading_memory.py --ranks 2

Gloo ranks load and shard a Llama of random weights as `trainer run` does. Printed for each rank, in shares of the
weights' bytes: the most memory of its own beyond what it held before, pages of the mapped file, and what is left.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist

from trainer.config import ModelSection
from trainer.distributed.joining import Joined
from trainer.distributed.leaving import leaving
from trainer.distributed.section import DistributedSection
from trainer.distributed.sharding import mesh_of, section_to_load, shard
from trainer.models import load_policy
from trainer.tiny import build_tiny_model


def held() -> tuple[int, int]:
    """Bytes of this process's own memory, and of files mapped into it."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024, int(lines["RssFile"].split()[0]) * 1024


def watched(work: Callable[[], object]) -> dict[str, int]:
    """Bytes held beyond what was held before: the most while it worked, looked at each millisecond, and in the end."""
    over, seen = threading.Event(), [held()]

    def look() -> None:
        while not over.wait(0.001):
            seen.append(held())

    watch = threading.Thread(target=look)
    watch.start()
    _kept = work()  # until it has been looked at
    over.set()
    watch.join()
    seen.append(held())
    own, mapped = ([each[kind] - seen[0][kind] for each in seen] for kind in (0, 1))
    return {"most": max(own), "most_mapped": max(mapped), "left": own[-1]}


def rank(model: str) -> None:
    """Print the row of this rank."""

    def load() -> object:
        policy = load_policy(section_to_load(ModelSection(path=model, device="cpu")))
        shard(policy.model, mesh_of(DistributedSection(), "cpu"), torch.float32)
        return policy

    with Joined(DistributedSection()):
        size = Path(model, "model.safetensors").stat().st_size
        shares = (f"{name} {found / size:.2f}" for name, found in watched(load).items())
        print(f"rank {dist.get_rank()}", *shares, sep="   ", flush=True)


def main() -> None:
    """Print a row for each rank."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", default="2")
    # Matrices of large models are beyond what the allocator keeps once it is freed; so are these, with this.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", parser.parse_args().ranks]
    with tempfile.TemporaryDirectory() as path:
        build_tiny_model(Path(path), "0123456789", hidden=896, layers=8, heads=14)
        subprocess.run([sys.executable, *torchrun, __file__, path], check=True, env=environment)


if __name__ == "__main__":
    with leaving():
        rank(sys.argv[1]) if "RANK" in os.environ else main()
