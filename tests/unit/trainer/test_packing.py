"""Micro-batches: which rows, on which rank, and the row of tokens that each becomes."""

from itertools import chain

import pytest
import torch

from trainer.logprobs import batch_logprobs, completion_logprobs, in_micro_batches
from trainer.packed import packed
from trainer.packing import Cut, micro_batches

LENGTHS = [5, 2, 7, 1, 3, 0, 6, 4, 2, 2, 1, 9]


def places(batch, rows):
    """What a micro-batch costs, counted the plain way."""
    groups = set(batch.group[rows].tolist())
    return int((batch.length[rows] - 1).sum()) + int(batch.prompt_length[list(groups)].sum())


@pytest.fixture
def batch(make_batch):
    return make_batch([0.0] * 12, LENGTHS)


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
@pytest.mark.parametrize("cut", [Cut(64), Cut(1), Cut(5), Cut(64, tokens=12), Cut(3, tokens=20)], ids=str)
def test_every_row_with_a_token_is_in_one_micro_batch_of_one_rank(batch, cut, ranks):
    dealt = micro_batches(batch, Cut(cut.rows, cut.tokens, ranks=ranks))
    assert len(dealt) == ranks
    assert len({len(mine) for mine in dealt}) == 1
    rows = [row for part in chain(*dealt) for row in part.tolist()]
    assert sorted(rows) == [row for row, length in enumerate(LENGTHS) if length]


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("tokens", [9, 14, 25])
def test_a_micro_batch_keeps_to_its_budget_unless_it_is_one_completion(batch, tokens, ranks):
    for part in chain(*micro_batches(batch, Cut(64, tokens, ranks=ranks))):
        assert len(part) <= 1 or places(batch, part) <= tokens


def test_the_rows_of_a_group_stay_together_so_that_its_prompt_counts_once(make_batch):
    batch = make_batch([0.0] * 12, [5, 2, 7, 1, 3, 1, 6, 4, 2, 2, 1, 9])
    (parts,) = micro_batches(batch, Cut(4))
    whole = int((batch.length - 1).sum()) + int(batch.prompt_length.sum())
    assert sum(places(batch, part) for part in parts) == whole


def test_ranks_have_about_as_much_to_do(make_batch):
    lengths = [1 + 37 * row % 64 for row in range(96)]
    dealt = micro_batches(make_batch([0.0] * 96, lengths), Cut(8, ranks=4))
    big = make_batch([0.0] * 96, lengths)
    costs = [sum(places(big, part) for part in mine) for mine in dealt]
    assert max(costs) <= 1.15 * min(costs)
    for together in zip(*dealt, strict=True):
        assert max(map(len, together)) > 0


def test_unwanted_rows_are_left_out(batch):
    wanted = torch.arange(12) % 2 == 0
    (parts,) = micro_batches(batch, Cut(64), wanted)
    assert sorted(torch.cat(parts).tolist()) == [0, 2, 4, 6, 8, 10]


def test_more_ranks_than_rows_leave_empty_micro_batches(make_batch):
    dealt = micro_batches(make_batch([0.0] * 2, [3, 4], group_size=2), Cut(64, ranks=4))
    assert sorted(len(mine[0]) for mine in dealt) == [0, 0, 1, 1]


def test_texts_are_cut_by_the_same_bounds():
    lengths = [4, 5, 6, 30, 1]
    parts = Cut(2, tokens=10).share_of_texts(lengths)
    assert sorted(part.tolist() for part in parts) == [[0, 1], [2], [3], [4]]


@pytest.mark.parametrize("ranks", [2, 3])
def test_what_ranks_compute_of_their_shares_adds_up_to_the_whole(policy, batch, ranks):
    whole = batch_logprobs(policy.model, batch, temperature=1.0, cut=Cut(64))
    shares = [batch_logprobs(policy.model, batch, temperature=1.0, cut=Cut(3, 0, rank, ranks)) for rank in range(ranks)]
    torch.testing.assert_close(sum(shares), whole, rtol=1e-5, atol=1e-5)


def test_a_micro_batch_without_rows_has_a_gradient_of_zero(policy, batch):
    nothing = batch.rows(torch.zeros(0, dtype=torch.long))
    logp = completion_logprobs(policy.model, nothing, temperature=1.0).logp
    assert logp.shape == (0,)
    logp.sum().backward()
    gradients = [weight.grad for name, weight in policy.model.named_parameters() if "layers" in name]
    assert all(gradient is not None and not gradient.any() for gradient in gradients)


def test_a_batch_of_empty_completions_is_all_zeros(policy, make_batch):
    found = batch_logprobs(policy.model, make_batch([0.0] * 2, [0, 0]), temperature=1.0, cut=Cut(4))
    assert not found.any()
    assert in_micro_batches(make_batch([0.0] * 2, [0, 1]), Cut(4), lambda rows: torch.ones(1)).sum() == 1


def test_the_row_holds_each_prompt_once_and_no_padding(batch):
    row = packed(batch)
    assert row.ids.shape[1] == places(batch, batch.length > 0)
    prompt = batch.prompts[0][-int(batch.prompt_length[0]) :]
    assert torch.equal(row.ids[0, : len(prompt)], prompt)
    assert row.positions[0, : len(prompt)].tolist() == list(range(len(prompt)))


def test_rows_that_are_not_in_the_order_of_their_groups_are_computed_alike(policy, batch):
    mixed = torch.tensor([7, 0, 11, 4, 2, 6, 3, 1, 9, 8, 10])
    rows = batch.rows(mixed)
    found = completion_logprobs(policy.model, rows, temperature=1.0).logp
    whole = batch_logprobs(policy.model, batch, temperature=1.0, cut=Cut(64))[mixed]
    torch.testing.assert_close(found, whole[rows.mask], rtol=1e-5, atol=1e-5)
