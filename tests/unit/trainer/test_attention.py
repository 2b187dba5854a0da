"""Attention of sequences in one row: what each gives by itself, without a copy of what they share."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from trainer.attention import Layout, attend

CPU = torch.device("cpu")
LAYOUTS = {
    "prompts with completions": Layout([5, 3, 70, 4, 1, 2, 30, 80], [7, 110, 0], CPU),
    "one prompt": Layout([40, 3, 1, 200], [204], CPU),
    "texts": Layout([3, 150, 0, 66, 64], [0] * 5, CPU),
    "completions of one token": Layout([6, 2, 0, 0], [0, 0], CPU),
}


def tensors(layout: Layout, dtype: torch.dtype = torch.float64, width: int = 8) -> list[torch.Tensor]:
    """Four heads of queries, two of keys and values."""
    made, places = torch.Generator().manual_seed(0), sum(layout.segments)
    shapes = [(places, 4, width), (places, 2, width), (places, 2, 8)]
    return [torch.randn(shape, generator=made, dtype=torch.float64).to(dtype).requires_grad_() for shape in shapes]


def seen_by_each(layout: Layout) -> list[tuple[list[int], int]]:
    """Of each sequence with its prompt, the places, and how many of the last of them ask."""
    prompts, found, place = len(layout.following), [], 0
    ranges = []
    for size in layout.segments:
        ranges.append(list(range(place, place + size)))
        place += size
    found = [(part, len(part)) for part in ranges[:prompts]]
    left, owner = list(layout.following), 0
    for part in ranges[prompts:]:
        while part and not left[owner]:
            owner += 1
        found.append((ranges[owner] + part, len(part)))
        if part:
            left[owner] -= len(part)
    return [each for each in found if each[1]]


def plainly(q, k, v, layout):
    parts, order = [], []
    k, v = (part.repeat_interleave(2, 1) for part in (k, v))
    for places, asking in seen_by_each(layout):
        mask = torch.ones(asking, len(places), dtype=torch.bool).tril(len(places) - asking)
        given = q[places[-asking:]].transpose(0, 1), k[places].transpose(0, 1), v[places].transpose(0, 1)
        parts.append(scaled_dot_product_attention(*given, attn_mask=mask).transpose(0, 1))
        order += places[-asking:]
    return torch.cat(parts)[torch.tensor(order).argsort()]


@pytest.mark.parametrize("width", [8, 6], ids=["a head as wide as its values", "values wider than the head"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_each_sequence_attends_to_its_prompt_and_itself_and_so_do_the_gradients(name, width):
    layout = LAYOUTS[name]
    ours, theirs = tensors(layout, width=width), tensors(layout, width=width)
    found, expected = attend(*ours, layout, None), plainly(*theirs, layout)
    torch.testing.assert_close(found, expected)
    weight = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for out in (found, expected):
        (out * weight).sum().backward()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


def test_bfloat16_is_that_of_float64_to_its_rounding():
    layout = LAYOUTS["prompts with completions"]
    found = attend(*tensors(layout, torch.bfloat16), layout, None)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), plainly(*tensors(layout), layout), rtol=0.05, atol=0.02)


def kept(completions: int, prompt: int = 500) -> int:
    """Bytes that attention keeps for the way back."""
    layout = Layout([prompt, *[4] * completions], [4 * completions], CPU)
    known = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        known[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        attend(*tensors(layout), layout, None)
    return sum(known.values())


def test_what_is_kept_for_the_way_back_grows_with_places_and_not_with_prompts_times_completions():
    assert kept(100) / kept(1) == pytest.approx((500 + 400) / 504, rel=0.05)


def test_kernels_for_different_lengths_are_told_where_sequences_begin():
    own, before = Layout([3, 2, 4, 1, 2], [5, 2], CPU).bounds
    assert own.queries.tolist() == own.keys.tolist() == [0, 3, 5, 9, 10, 12]
    assert before.queries.tolist() == [0, 5, 7]
    assert before.keys.tolist() == [0, 3, 5]
    assert (own.longest, before.longest) == ((4, 4), (5, 3))
    assert own.queries.dtype == before.keys.dtype == torch.int32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NOT TESTED HERE: attention's kernels on GPUs need one")
@pytest.mark.parametrize(("dtype", "gap"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)], ids=str)
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_gpu_computes_what_a_cpu_does(name, dtype, gap):
    layout, device = LAYOUTS[name], torch.device("cuda")
    there = Layout(layout.segments, layout.following, device)
    ours, theirs = ([part.detach().to(device, dtype).requires_grad_() for part in tensors(layout)], tensors(layout))
    found, expected = attend(*ours, there, None), plainly(*theirs, layout)
    found.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(found.cpu().double(), expected, rtol=gap, atol=gap)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad.cpu().double(), other.grad, rtol=gap, atol=gap * 5)
