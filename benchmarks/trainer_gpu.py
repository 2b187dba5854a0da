"""GRPO steps of ours and of TRL's on a GPU: tokens a second, utilisation and memory, at 0.5 or 1.5 billion weights.

    python benchmarks/trainer_gpu.py --size 0.5b [--steps 3] [--rounds 2] [--vllm] [--ours-only]
    python benchmarks/trainer_gpu.py --size tiny --device cpu --new-tokens 64

The weights are random, in the shape of Qwen2.5 with its vocabulary of 151,936, and downloaded from nowhere. One
direction of the hidden state is made the same for all tokens, and the output row of the end token is set along it, so
that every token ends its completion with a chance of about 1 in 100: lengths are ragged on both sides.

Beside each side's figures stands the limit: what the step's own operations take at the peak of the device, by the
formula of `trainer.profile.flops` (sampling, forward and back; a prompt once for its group). Utilisation is that over
the time it took. See `trainer_sides` for what the two sides do.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from trainer_sides import CHARSET, Workload, measured, texts
from trainer_vs_trl import joined

from trainer.profile.flops import Shape, forward_flops, shape_of
from trainer.profile.peak import Peak, device_name, known_peak, measured_peak

SIZES = {
    "0.5b": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "heads": (14, 2)},
    "1.5b": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "heads": (12, 2)},
    "tiny": {"hidden_size": 64, "intermediate_size": 192, "num_hidden_layers": 2, "heads": (4, 2), "vocab_size": 4096},
}
VOCABULARY, ENDS_ONE_IN, TEMPLATE_TOKENS = 151_936, 100, 3


def build(path: Path, size: str, device: str) -> Shape:
    """Write a model of this size and a tokenizer of characters to `path`."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from trainer.tiny import character_tokenizer

    tokenizer = character_tokenizer(CHARSET)
    given = dict(SIZES[size])
    heads, groups = given.pop("heads")  # type: ignore[misc]
    config = Qwen2Config(
        **{"vocab_size": VOCABULARY, **given},
        num_attention_heads=heads,
        num_key_value_heads=groups,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(config).to(device)
    make_ragged(model, tokenizer.eos_token_id)
    model.to(torch.bfloat16 if device == "cuda" else torch.float32).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return shape_of(model)


@torch.no_grad()
def make_ragged(model: Any, end: int) -> None:
    """Give the end token a chance of one in `ENDS_ONE_IN` wherever a completion stands, on average."""
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    embedding[:, 0] += 10 * embedding.std()
    ids = torch.randint(6, 90, (4, 64), device=embedding.device)
    hidden = model.get_decoder()(input_ids=ids).last_hidden_state[:, 8:].flatten(0, 1)
    head[end] = 0
    others = (hidden @ head.T).logsumexp(-1)
    head[end, 0] = ((others - torch.tensor(float(ENDS_ONE_IN)).log()) / hidden[:, 0]).median()


def amounts(lengths: Sequence[int], work: Workload) -> dict[str, float]:
    """What a step samples on average, as `trainer.profile.flops` counts it."""
    rows, prompts = work.prompts * work.group, [len(text) + TEMPLATE_TOKENS for text in texts(1000)]
    prompt, length = statistics.fmean(prompts), statistics.fmean(lengths)
    own = statistics.fmean(each * prompt + each * (each + 1) / 2 for each in lengths)
    return {
        "sampled_tokens": work.prompts * prompt + rows * length,
        "sampled_predicted": rows * length,
        "sampled_pairs": work.prompts * prompt * (prompt + 1) / 2 + rows * own,
    }


def with_limits(found: dict[str, Any], lengths: Sequence[int], work: Workload, shape: Shape, peak: Peak) -> None:
    """Add what the step takes at the peak, and the utilisation."""
    flops = 4 * forward_flops(shape, amounts(lengths, work), "sampled")  # one to sample, three to learn
    found["limit_step_s"] = flops / peak.flops
    found["utilisation"] = found["limit_step_s"] / found["median_step_s"]


def show(found: dict[str, dict[str, Any]], peak: Peak) -> None:
    """A table on stdout."""
    print(f"peak {peak.flops / 1e12:,.2f} TFLOP/s ({peak.source})")
    print(f"{'':6}{'median step':>13}{'limit':>11}{'utilisation':>13}{'tokens/s':>11}{'memory':>14}{'length':>9}")
    for side, values in found.items():
        print(
            f"{side:6}{values['median_step_s']:11.3f} s{values['limit_step_s']:9.3f} s{values['utilisation']:12.1%} "
            f"{values['tokens_per_second']:11,.0f}{values['memory_mib']:10,.0f} MiB{values['length_mean']:9.1f}"
        )


def main() -> None:
    """Build the model, run both sides in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="0.5b")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--steps", type=int, default=3, help="timed steps in each process")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--new-tokens", type=int, default=512)
    parser.add_argument("--micro-batch", type=int, default=16)
    parser.add_argument("--vllm", action="store_true", help="both sides sample with vLLM inside the process")
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--python", default=sys.executable, help="interpreter of both sides")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here; --device cpu --size tiny shows that the script runs")
    dtype = "bfloat16" if args.device == "cuda" else "float32"
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model"
        shape = build(path, args.size, args.device)
        device = torch.device(args.device)
        peak = known_peak(device_name(device), dtype) or measured_peak(device, dtype)
        if args.device == "cuda":
            torch.cuda.empty_cache()
        work = Workload(
            model=str(path),
            steps=args.steps,
            prompts=args.prompts,
            group=args.group,
            new_tokens=args.new_tokens,
            micro_batch=args.micro_batch,
            device=args.device,
            dtype=dtype,
            vllm=args.vllm,
            threads=1 if args.device == "cpu" else 8,
        )
        sides = ["ours"] if args.ours_only else ["ours", "trl"]
        parts: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
        for _ in range(args.rounds):
            for side in sides:
                parts[side].append(measured(side, work, args.python))
    found = {side: joined(each) for side, each in parts.items()}
    for side, each in parts.items():
        with_limits(found[side], [length for part in each for length in part["lengths"]], work, shape, peak)
    show(found, peak)
    print(json.dumps({"size": args.size, "device": device_name(device), **found}))


if __name__ == "__main__":
    main()
