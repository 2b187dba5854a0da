"""How the rows of a batch are cut into micro-batches, on one rank or several: a matter of memory and speed alone.

A micro-batch is computed as one row of tokens without padding (see `trainer.packed`), in which a prompt stands once for
all its completions. Its places are what a budget of tokens counts. Neighbours stay together, so that groups stay whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from trainer.config import OptimSection
from trainer.distributed.ranks import count, rank
from trainer.rollouts import Batch


@dataclass(frozen=True, slots=True)
class Cut:
    """The bounds of a micro-batch, and whose share of them is meant."""

    rows: int
    """Completions in a micro-batch, at most."""
    tokens: int = 0
    """Places of a micro-batch, at most, unless one completion and its prompt have more; 0 for no bound."""
    rank: int = 0
    """Which of the ranks this is."""
    ranks: int = 1
    """Ranks that share the micro-batches."""

    @classmethod
    def of(cls, optim: OptimSection) -> Self:
        """As configured, for this rank."""
        return cls(optim.micro_batch, optim.micro_batch_tokens, rank(), count())

    def share(self, batch: Batch, wanted: Tensor | None = None) -> list[Tensor]:
        """The row numbers of each micro-batch of this rank: see `micro_batches`."""
        return micro_batches(batch, self, wanted)[self.rank]

    def share_of_texts(self, lengths: Sequence[int]) -> list[Tensor]:
        """The same for texts of so many tokens, which share nothing."""
        count = len(lengths)
        return _cut(_Rows(torch.arange(count), range(count), [0] * count, lengths), self)[self.rank]


def micro_batches(batch: Batch, cut: Cut, wanted: Tensor | None = None) -> list[list[Tensor]]:
    """The row numbers of each micro-batch, a list for each rank.

    All lists are equally long, and those that stand at one place in them cost about the same, because ranks wait for
    one another. Where there are too few rows, some micro-batches are empty; an empty completion is in none.

    Args:
        batch: N rollouts.
        cut: the bounds.
        wanted: `[N]` bool, the rows to take; None for all.
    """
    kept = batch.length > 0 if wanted is None else (batch.length > 0) & wanted
    order = batch.group.argsort(stable=True)
    index = order[kept[order]]
    group = batch.group[index]
    fed = batch.length[index] - 1  # nothing follows the last token
    return _cut(_Rows(index, group.tolist(), batch.prompt_length[group].tolist(), fed.tolist()), cut)


def _cut(rows: "_Rows", cut: Cut) -> list[list[Tensor]]:
    parts = rows.parts(cut.rows, cut.tokens or rows.most)
    if cut.ranks > 1 and parts:
        parts = _divisible(rows, cut, -(-len(parts) // cut.ranks) * cut.ranks)
    parts.sort(key=rows.cost, reverse=cut.ranks > 1)
    return [[rows.numbers(part) for part in mine] for mine in _dealt(parts, cut.ranks)]


class _Rows:
    """The rows to cut, with what each of them costs."""

    def __init__(self, index: Tensor, groups: Sequence[int], prompts: Sequence[int], fed: Sequence[int]) -> None:
        self._index, self._groups, self._prompts, self._fed = index, groups, prompts, fed
        self.most = max(1, sum(fed) + sum(prompts))

    def parts(self, most_rows: int, most_places: int) -> list[range]:
        """Neighbouring rows within the bounds, each part as large as they allow."""
        parts, start, places = [], 0, 0
        for row in range(len(self._fed)):
            added = self._added(row, start)
            if row > start and (row - start == most_rows or places + added > most_places):
                parts.append(range(start, row))
                start, places = row, 0
                added = self._added(row, start)
            places += added
        return [*parts, range(start, len(self._fed))] if self._fed else []

    def cost(self, part: range) -> int:
        """Places of the part."""
        return sum(self._added(row, part.start) for row in part)

    def numbers(self, part: range) -> Tensor:
        """Row numbers of the part in the batch."""
        return self._index[part.start : part.stop]

    def _added(self, row: int, start: int) -> int:
        """Places that a row adds to a part that begins at `start`: its prompt only where it is not there yet."""
        first = row == start or self._groups[row] != self._groups[row - 1]
        return self._fed[row] + (self._prompts[row] if first else 0)


def _divisible(rows: _Rows, cut: Cut, count: int) -> list[range]:
    """At most `count` parts of about the same cost: the smallest bound that leaves no more of them."""
    low, high = 1, min(cut.tokens or rows.most, rows.most)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(rows.parts(cut.rows, middle)) <= count else (middle + 1, high)
    return rows.parts(cut.rows, high)


def _dealt(parts: Sequence[range], ranks: int) -> list[list[range]]:
    """Parts in order of cost, dealt out back and forth, so that the sums come out about even."""
    turns = -(-len(parts) // ranks)
    filled = [*parts, *[range(0)] * (turns * ranks - len(parts))]
    dealt: list[list[range]] = [[] for _ in range(ranks)]
    for turn in range(turns):
        hand = filled[turn * ranks : (turn + 1) * ranks]
        for mine, part in zip(dealt, hand if turn % 2 == 0 else reversed(hand), strict=True):
            mine.append(part)
    return dealt
