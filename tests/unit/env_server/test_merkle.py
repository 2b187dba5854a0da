"""The tree against the published vectors, and against the definition written down as naively as it can be."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from env_server.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Of the first n inputs: the vectors that implementations of Certificate Transparency share."""
LEAVES = [leaf_hash(bytes.fromhex(value)) for value in INPUTS]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_published_vectors(size):
    assert tree_root(LEAVES[:size]).hex() == ROOTS[size]


def test_an_inclusion_proof_is_the_published_one():
    assert [node.hex() for node in inclusion_proof(LEAVES, 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_a_consistency_proof_is_the_published_one():
    assert [node.hex() for node in consistency_proof(LEAVES, 6)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = max(2**power for power in range(16) if 2**power < len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


trees = st.integers(0, 200).map(lambda size: [leaf_hash(str(n).encode()) for n in range(size)])


@given(trees)
def test_the_root_is_that_of_the_definition(leaves):
    assert tree_root(leaves) == naive_root(leaves)


@given(trees, st.data())
def test_every_leaf_has_a_proof_that_fits_it_alone(leaves, data):
    if not leaves:
        return
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, root = inclusion_proof(leaves, index), naive_root(leaves)
    assert verify_inclusion(leaves[index], index, len(leaves), proof, root)
    assert not verify_inclusion(leaf_hash(b"another"), index, len(leaves), proof, root)
    assert not verify_inclusion(leaves[index], index, len(leaves), [*proof, EMPTY_ROOT], root)
    other = data.draw(st.integers(0, len(leaves) - 1))
    assert verify_inclusion(leaves[index], other, len(leaves), proof, root) is (other == index)
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        assert not verify_inclusion(leaves[index], index, len(leaves), [*proof[:place], EMPTY_ROOT], root)
        changed = [EMPTY_ROOT if n == place else node for n, node in enumerate(proof)]
        assert not verify_inclusion(leaves[index], index, len(leaves), changed, root)


@given(trees, st.data())
def test_every_beginning_has_a_proof_and_no_fork_has_one(leaves, data):
    first = data.draw(st.integers(0, len(leaves)))
    roots = naive_root(leaves[:first]), naive_root(leaves)
    proof = consistency_proof(leaves, first) if first else []
    assert verify_consistency(first, len(leaves), *roots, proof)
    forked = naive_root([*leaves[: first - 1], leaf_hash(b"another")]) if first else leaf_hash(b"another")
    assert not verify_consistency(first, len(leaves), forked, roots[1], proof)
    assert first == 0 or not verify_consistency(first, len(leaves), roots[0], forked, proof) or forked == roots[1]
    assert not verify_consistency(first, len(leaves), *roots, [*proof, EMPTY_ROOT])


@given(trees, st.data())
def test_a_frontier_goes_on_where_it_was_put_down(leaves, data):
    pause = data.draw(st.integers(0, len(leaves)))
    frontier = Frontier()
    for leaf in leaves[:pause]:
        frontier.append(leaf)
    frontier = Frontier.load(frontier.size, frontier.dump())
    for leaf in leaves[pause:]:
        frontier.append(leaf)
    assert (frontier.size, frontier.root) == (len(leaves), naive_root(leaves))


@given(st.lists(trees, max_size=4))
def test_many_leaves_at_once_are_as_one_after_the_other(parts):
    frontier = Frontier()
    for part in parts:
        frontier.extend(part)
    leaves = [leaf for part in parts for leaf in part]
    one_by_one = Frontier()
    for leaf in leaves:
        one_by_one.append(leaf)
    assert (frontier.size, frontier.dump()) == (len(leaves), one_by_one.dump())
    assert frontier.root == naive_root(leaves)


@given(trees, st.data())
def test_a_full_subtree_stands_for_the_leaves_below_it(leaves, data):
    height = data.draw(st.integers(0, 7))
    begin = data.draw(st.integers(0, 200 >> height)) << height
    below = leaves[begin : begin + (1 << height)]
    if len(below) < 1 << height:
        return
    frontier = Frontier()
    for leaf in leaves[:begin]:
        frontier.append(leaf)
    frontier.append(naive_root(below), height)
    for leaf in leaves[begin + len(below) :]:
        frontier.append(leaf)
    assert frontier.root == naive_root(leaves)


@pytest.mark.parametrize(("size", "dumped"), [(1, b""), (0, bytes(32)), (3, bytes(63)), (3, bytes(96)), (-1, b"")])
def test_a_frontier_that_is_none_is_refused(size, dumped):
    with pytest.raises(ValueError, match="full subtrees"):
        Frontier.load(size, dumped)


def test_a_subtree_does_not_begin_just_anywhere():
    frontier = Frontier()
    frontier.append(LEAVES[0])
    with pytest.raises(ValueError, match="no subtree of height 1 begins at leaf 1"):
        frontier.append(LEAVES[1], 1)


def test_proofs_of_nothing_are_refused():
    with pytest.raises(ValueError, match="no leaf 8"):
        inclusion_proof(LEAVES, 8)
    with pytest.raises(ValueError, match="no proof"):
        consistency_proof(LEAVES, 9)
    assert not verify_inclusion(LEAVES[0], 8, 8, [], tree_root(LEAVES))
    assert not verify_consistency(9, 8, LEAVES[0], LEAVES[1], [])
    assert not verify_consistency(-1, 8, LEAVES[0], LEAVES[1], [])
