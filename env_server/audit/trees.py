"""Growing a writer's tree again from its leaves, and holding it against everything that was ever said of it. Pure."""

from collections.abc import Iterable, Iterator

from env_server.audit.findings import Damage, Finding
from env_server.audit.sources import Left, Signed, Writer
from env_server.ledger.merkle import HASH_BYTES, Frontier

Piece = tuple[int, bytes]
"""Place of a leaf, and the hashes of it and of those that follow it, 32 bytes each."""


class TreeCheck:
    """Takes the pieces of one tree in order. `findings` is complete after `finish`."""

    def __init__(self, writer: Writer, left_out: Iterable[Left] = ()) -> None:
        self.findings: list[Finding] = []
        self.checked = 0
        """Checkpoints whose root was that of the tree."""
        self._writer = writer
        self._left_out = iter([*left_out, None])
        self._next_left = next(self._left_out)
        self._frontier = Frontier()
        self._whole = True
        self._place = 0
        self._signed = iter([*sorted(writer.checkpoints, key=lambda one: one.size), None])
        self._next_signed = next(self._signed)
        self._last_good: Signed | None = None
        self._forked = False
        self._compare()

    @property
    def root(self) -> bytes | None:
        """Root of the tree so far; None where something is missing from it."""
        return self._frontier.root if self._whole else None

    def add(self, piece: Piece) -> None:
        """Go on with a piece; what should have been between is missing."""
        first, leaves = piece
        self._fill(first)
        if first > self._place and leaves:
            self._miss(first, Damage.REMOVED)
        if first < self._place and leaves:
            self._find(Damage.INSERTED, f"record {first} is there more than once", first)
            leaves = leaves[(self._place - first) * HASH_BYTES :]
        for at in range(0, len(leaves), HASH_BYTES):
            self._append(leaves[at : at + HASH_BYTES], 0)

    def finish(self) -> None:
        """Hold the end against what the writer's row and the checkpoints say."""
        writer = self._writer
        self._fill(writer.size)
        if self._place < writer.size:
            self._miss(writer.size, Damage.TRUNCATED)
        self.findings += self._beyond_the_end()
        if self._place > writer.size:
            self._find(Damage.INSERTED, f"there are {self._place} records, and the writer's row knows of fewer", 0)
        if writer.strays:
            message = f"{writer.strays} records are not among the {writer.size} that the writer knows of"
            self._find(Damage.INSERTED, message, writer.size)
        if self._whole and not self._forked and self._frontier.dump() != writer.frontier:
            self._find(Damage.END_CHANGED, "the end of the tree is not the one that the writer's row has", writer.size)

    def _append(self, node: bytes, height: int) -> None:
        if self._whole:
            self._frontier.append(node, height)
        self._place += 1 << height
        self._compare()

    def _fill(self, until: int) -> None:
        """Put in the subtrees that were left out before a place."""
        while (left := self._next_left) and left.seq < until:
            if left.seq > self._place:
                self._miss(left.seq, Damage.REMOVED)
            if left.seq != self._place or left.seq & ((1 << left.height) - 1):
                self._find(Damage.END_CHANGED, f"no subtree that was left out can begin at {left.seq}", left.seq)
                self._whole = False
            self._append(left.root, left.height)
            self._next_left = next(self._left_out)

    def _miss(self, until: int, damage: Damage) -> None:
        first, last = self._place, until - 1
        which = f"record {first} is" if first == last else f"records {first} to {last} are"
        self._find(damage, f"{which} missing" + " at the end" * (damage is Damage.TRUNCATED), first)
        self._place, self._whole = until, False

    def _compare(self) -> None:
        """Hold the tree against the checkpoints of its size. Where subtrees were left out, some are passed by."""
        while (signed := self._next_signed) and signed.size <= self._place:
            if signed.size == self._place and self._whole and not self._forked:
                self._compare_root(signed)
            self._next_signed = next(self._signed)

    def _compare_root(self, signed: Signed) -> None:
        if self._frontier.root == signed.root:
            self.checked += 1
            self._last_good = signed
            return
        self._forked = True
        good = self._last_good.size if self._last_good else 0
        where = f", kept in {signed.kept_in}," if signed.kept_in else ""
        message = (
            f"the tree of the first {signed.size} records is not the one of the signed checkpoint{where}: "
            f"something from {good} to {signed.size - 1} was changed together with its leaf"
        )
        self._find(Damage.FORKED, message, good)

    def _beyond_the_end(self) -> Iterator[Finding]:
        """Checkpoints of more records than there are: the largest says how many were cut off."""
        further = [self._next_signed, *self._signed] if self._next_signed else []
        beyond = [one for one in further if one and one.size > self._writer.size]
        if beyond:
            most, size = beyond[-1], self._writer.size
            where = f" in {most.kept_in}" if most.kept_in else ""
            message = f"a checkpoint{where} was signed for {most.size} records, and the ledger has {size} of them"
            yield Finding(Damage.TRUNCATED, message, self._writer.name, size)

    def _find(self, damage: Damage, message: str, seq: int) -> None:
        self.findings.append(Finding(damage, message, self._writer.name, seq))
