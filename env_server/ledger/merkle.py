"""The Merkle tree of RFC 6962 and RFC 9162: its root as it grows, inclusion and consistency proofs. Pure.

A leaf is hashed after a zero byte and an inner node after a one byte, so that neither can pass for the other. A tree of
n leaves splits at the largest power of two below n; every function here follows from that one rule.
"""

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()
"""Root of the tree without leaves."""

Span = tuple[int, int]
"""Leaves from the first number up to, and without, the second."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf, 32 bytes (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of the node above two others, 32 bytes (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the roots of its full subtrees, the largest first.

    That is all that is needed to append and to know the root: 32 bytes for each bit set in `size`.
    """

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        """Raises ValueError where the roots are not those of a tree of that size."""
        if size < 0 or size.bit_count() != len(roots) or any(len(root) != HASH_BYTES for root in roots):
            raise ValueError(f"a tree of {size} leaves does not have {len(roots)} full subtrees")
        self.size = size
        self._roots = list(roots)

    @classmethod
    def load(cls, size: int, dumped: bytes) -> "Frontier":
        """What `dump` wrote. Raises ValueError where it is not of a tree of that size."""
        return cls(size, [dumped[at : at + HASH_BYTES] for at in range(0, len(dumped), HASH_BYTES)])

    def dump(self) -> bytes:
        """Roots of the full subtrees, left to right, 32 bytes each."""
        return b"".join(self._roots)

    def append(self, node: bytes, height: int = 0) -> None:
        """Add a leaf hash, or the root of a full subtree of `2 ** height` leaves.

        Raises:
            ValueError: a subtree of that height cannot begin here.
        """
        if self.size & ((1 << height) - 1):
            raise ValueError(f"no subtree of height {height} begins at leaf {self.size}")
        roots, bits = self._roots, self.size >> height
        while bits & 1:
            node = node_hash(roots.pop(), node)
            bits >>= 1
        roots.append(node)
        self.size += 1 << height

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes in order: as `append` of each, a level of the tree at a time."""
        level, ends, size = list(leaves), [], self.size
        while level:
            if size & 1:
                level.insert(0, self._roots.pop())
            if len(level) & 1:
                ends.append(level.pop())
            level = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
            size >>= 1
        self._roots += reversed(ends)
        self.size += len(leaves)

    @property
    def root(self) -> bytes:
        """Root of the tree, 32 bytes."""
        if not self._roots:
            return EMPTY_ROOT
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root)
        return root


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over these leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Which subtrees' roots prove that leaf `index` is in a tree of `size`, the deepest first (RFC 9162, 2.1.3.1).

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    return _path(index, (0, size))


def _path(index: int, span: Span) -> list[Span]:
    begin, end = span
    if end - begin == 1:
        return []
    middle = begin + _split(end - begin)
    if index < middle:
        return [*_path(index, (begin, middle)), (middle, end)]
    return [*_path(index, (middle, end)), (begin, middle)]


def consistency_spans(first: int, second: int) -> list[Span]:
    """Which subtrees' roots prove that a tree of `first` leaves begins one of `second` (RFC 9162, 2.1.4.1).

    Raises:
        ValueError: `first` is not between 1 and `second`.
    """
    if not 0 < first <= second:
        raise ValueError(f"there is no proof that a tree of {first} leaves begins one of {second}")
    return _subproof(first, (0, second), whole=True)


def _subproof(first: int, span: Span, *, whole: bool) -> list[Span]:
    begin, end = span
    if first == end:
        return [] if whole else [span]
    middle = begin + _split(end - begin)
    if first <= middle:
        return [*_subproof(first, (begin, middle), whole=whole), (middle, end)]
    return [*_subproof(first, (middle, end), whole=False), (begin, middle)]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The proof itself, from all leaf hashes. Raises ValueError where there is no such leaf."""
    return [tree_root(leaves[begin:end]) for begin, end in inclusion_spans(index, len(leaves))]


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """The proof that the first leaves are the beginning of all. Raises ValueError where `first` is out of range."""
    return [tree_root(leaves[begin:end]) for begin, end in consistency_spans(first, len(leaves))]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from the leaf hash at `index` to the root of a tree of `size` leaves."""
    if not 0 <= index < size:
        return False
    spans = inclusion_spans(index, size)
    if len(spans) != len(proof):
        return False
    node = leaf
    for (begin, _), sibling in zip(spans, proof, strict=True):
        node = node_hash(sibling, node) if begin < index else node_hash(node, sibling)
    return node == root


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree with the first root is the beginning of the one with the second.

    The empty tree is the beginning of every tree.
    """
    if first == 0:
        return first_root == EMPTY_ROOT and not proof
    if not 0 < first < second:
        return first == second and first_root == second_root and not proof
    spans = consistency_spans(first, second)
    if len(spans) != len(proof):
        return False
    known = dict(zip(spans, proof, strict=True))
    if first.bit_count() == 1:
        known[0, first] = first_root  # the proof leaves out what whoever asks holds already
    return _folded((0, first), known) == first_root and _folded((0, second), known) == second_root


def _folded(span: Span, known: dict[Span, bytes]) -> bytes | None:
    """Root of a span whose subtrees are known."""
    if span in known or span[1] - span[0] == 1:
        return known.get(span)
    middle = span[0] + _split(span[1] - span[0])
    left, right = _folded((span[0], middle), known), _folded((middle, span[1]), known)
    return node_hash(left, right) if left and right else None


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
