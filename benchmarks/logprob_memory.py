"""Memory of log-probabilities against the tokens of a batch, at a real vocabulary: logits in parts, and all at once.

    python benchmarks/logprob_memory.py
    python benchmarks/logprob_memory.py --device cuda --hidden 2048

For 1, 2, 4 and 8 times as many tokens: the most bytes that the forward and the backward pass of the output embedding,
the softmax and the entropy hold beyond the hidden states and the weights. On CUDA the allocator counts them; on a CPU
every tensor that an operation makes is counted until it is freed. Printed: a table, and one JSON line.
"""

import argparse
import json
import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from trainer.logprobs import token_stats

TIMES = (1, 2, 4, 8)


class Held(TorchDispatchMode):
    """Bytes of the tensors that are alive, and the most there ever were."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.most = 0, 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for tensor in tree_flatten(found)[0]:
            if isinstance(tensor, Tensor):
                self._see(tensor.untyped_storage())
        return found

    def _see(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self._known.add(key)
            self.now += size
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def most_bytes(places: int, options: argparse.Namespace, at_once: int) -> int:
    """Of one forward and backward pass over this many tokens."""
    device = torch.device(options.device)
    torch.manual_seed(0)
    head = torch.nn.Linear(options.hidden, options.vocabulary, bias=False, device=device)
    hidden = torch.randn(places, options.hidden, device=device, requires_grad=True)
    tokens = torch.randint(options.vocabulary, (places,), device=device)
    head.weight.grad, hidden.grad = torch.zeros_like(head.weight), torch.zeros_like(hidden)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        token_stats(head, hidden, tokens, 1.0, "value", at_once=at_once).logp.sum().backward()
        return torch.cuda.max_memory_allocated(device) - before
    with Held() as held:
        token_stats(head, hidden, tokens, 1.0, "value", at_once=at_once).logp.sum().backward()
    return held.most


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=512, help="of the smallest batch")
    parser.add_argument("--vocabulary", type=int, default=152_000)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--logits-mib", type=int, default=256, help="logits held at once; the trainer holds 256 MiB")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--largest-whole", type=int, default=2, help="largest batch to compute all at once, in times")
    options = parser.parse_args()
    at_once = options.logits_mib * 2**20 // 4
    rows = []
    for times in TIMES:
        places = options.tokens * times
        parts = most_bytes(places, options, at_once)
        whole = most_bytes(places, options, places * options.vocabulary) if times <= options.largest_whole else None
        rows.append({"tokens": places, "in_parts_mib": parts / 2**20, "at_once_mib": whole and whole / 2**20})
        shown = "-" if whole is None else f"{whole / 2**20:,.0f}"
        print(f"{places:>8,} tokens   in parts {parts / 2**20:>8,.0f} MiB   at once {shown:>8} MiB", flush=True)
    print(json.dumps({"vocabulary": options.vocabulary, "hidden": options.hidden, "rows": rows}))


if __name__ == "__main__":
    main()
