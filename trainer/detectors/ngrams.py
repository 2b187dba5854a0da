"""Which rollouts have which runs of tokens: exact, and quick enough for hundreds of long completions a step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_MIX = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True, slots=True)
class Ngrams:
    """C runs of tokens, and which of N rows have them."""

    tokens: tuple[tuple[int, ...], ...]
    """`[C]`"""
    present: npt.NDArray[np.bool_]
    """`[C, N]`"""


def common_ngrams(rows: Sequence[Sequence[int]], *, longest: int, least: int, most: int) -> Ngrams:
    """The runs of up to `longest` tokens that at least `least` rows have; of more than `most`, the commonest.

    The same rows give the same runs in the same order.
    """
    hashed = [_hashes(row, longest) for row in rows]
    keys, counts = np.unique(np.concatenate([keys for keys, _ in hashed] or [_NONE]), return_counts=True)
    kept = keys[counts >= least]
    if len(kept) > most:
        order = np.lexsort((kept, -counts[counts >= least]))
        kept = np.sort(kept[order[:most]])
    present = np.zeros((len(kept), len(rows)), dtype=np.bool_)
    found: list[tuple[int, ...]] = [()] * len(kept)
    for row, (own, places) in enumerate(hashed):
        index = np.searchsorted(kept, own).clip(max=max(0, len(kept) - 1))
        hit = kept[index] == own if len(kept) else np.zeros(len(own), dtype=np.bool_)
        for key in index[hit][~present[index[hit]].any(1)]:
            found[key] = _at(rows[row], int(places[index == key][0]), longest)
        present[index[hit], row] = True
    return Ngrams(tuple(found), present)


_NONE: npt.NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)


def _hashes(row: Sequence[int], longest: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Hashes of the runs of a row, each once, and where each is: its place times `longest`, plus its length less 1."""
    tokens = (np.asarray(row, dtype=np.uint64) + np.uint64(1)) * _MIX
    tokens ^= tokens >> np.uint64(31)
    running, hashes, places = _NONE, [_NONE], [np.zeros(0, dtype=np.int64)]
    for length in range(1, min(longest, len(row)) + 1):
        ending = tokens[length - 1 :]
        running = ending if length == 1 else (running[: len(ending)] * _STEP) ^ ending
        hashes.append(running * _MIX + np.uint64(length))
        places.append(np.arange(len(ending)) * longest + length - 1)
    unique, first = np.unique(np.concatenate(hashes), return_index=True)
    return unique, np.concatenate(places)[first]


def _at(row: Sequence[int], place: int, longest: int) -> tuple[int, ...]:
    start, length = divmod(place, longest)
    return tuple(row[start : start + length + 1])
