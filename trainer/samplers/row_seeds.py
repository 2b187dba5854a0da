"""One seed for each completion, so that a draw depends on nothing else."""

import hashlib


def row_seed(seed: str, prompt: int, index: int) -> int:
    """Seed of completion `index` of prompt number `prompt`: of 63 bits, the same on every server and in any batch."""
    digest = hashlib.sha256(f"{seed}/{prompt}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
