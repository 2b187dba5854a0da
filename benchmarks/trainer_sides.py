"""The two sides of a comparison: whole GRPO steps of ours and of TRL's, each in a process of its own.

    python benchmarks/trainer_sides.py SIDE WORKLOAD_JSON     (what `measured` starts; prints one JSON line)

Both read the same model, complete prompts of the same texts at temperature 1 and learn with the same loss, the same
number of threads and the same micro-batches. The reward is a function inside the process, unless `http` asks ours to
get it from a reward service. Memory is the peak of resident memory beyond what importing the libraries took, or the
GPU's. CPU seconds are the process's own, for when the machine is busy with something else.
"""

import importlib
import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

CHARSET = "".join(chr(code) for code in range(33, 123))
PROMPT_CHARACTERS = range(16, 65)


@dataclass(frozen=True)
class Workload:
    """What both sides do."""

    model: str
    steps: int
    """Measured ones; one more goes before, to warm up."""
    prompts: int = 8
    group: int = 8
    new_tokens: int = 256
    micro_batch: int = 16
    beta: float = 0.0
    lr: float = 1e-5
    threads: int = 1
    device: str = "cpu"
    dtype: str = "float32"
    http: bool = False
    """Ours alone: rewards from a reward service of its own process."""
    vllm: bool = False
    """Samples come from vLLM within the process."""
    ours: dict[str, Any] = field(default_factory=dict)
    """Sections of our configuration that go over what follows from the above, such as `{"sampler": {...}}`."""
    trl: dict[str, Any] = field(default_factory=dict)
    """The same for arguments of TRL's GRPOConfig."""


def texts(count: int) -> list[str]:
    """Distinct pseudo-random prompts of several lengths, the same on both sides."""
    draw = random.Random(0)
    return ["".join(draw.choices(CHARSET[:60], k=draw.choice(PROMPT_CHARACTERS))) for _ in range(count)]


def trivial_reward(text: str) -> float:
    """Share of lower-case letters: costs nothing, and differs within every group."""
    return sum(character.islower() for character in text) / max(len(text), 1)


def ours(work: Workload, directory: Path) -> dict[str, Any]:
    """Whole steps of `trainer run`, timed by its own log."""
    from rich.console import Console

    from trainer.config import TrainConfig
    from trainer.log_lines import read_lines
    from trainer.loop import train

    steps = work.steps + 1
    tasks = directory / "tasks.jsonl"
    lines = [
        {"id": str(i), "prompt": [{"role": "user", "content": text}], "rubric": "trivial.v1"}
        for i, text in enumerate(texts(work.prompts * steps))
    ]
    tasks.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    sections: dict[str, dict[str, Any]] = {
        "run": {"dir": directory / "run", "steps": steps, "threads": work.threads},
        "model": {"path": work.model, "device": work.device, "dtype": work.dtype},
        "data": {"tasks": tasks},
        "sampling": {
            "prompts_per_step": work.prompts,
            "group_size": work.group,
            "max_new_tokens": work.new_tokens,
            "max_prompt_tokens": max(PROMPT_CHARACTERS) + 8,
        },
        "sampler": {"kind": "vllm_colocated" if work.vllm else "hf"},
        "algorithm": {"name": "grpo", "beta": work.beta, "mask_truncated": False},
        "optim": {"lr": work.lr, "micro_batch": work.micro_batch},
        "checkpoint": {"every_steps": steps},
    }
    for name, changed in work.ours.items():
        sections.setdefault(name, {}).update(changed)
    config = TrainConfig.model_validate(sections)
    before, grader = resident(), _InProcessGrader()
    with _service(directory) if work.http else nullcontext(grader) as answering:
        train(config, answering, Console(quiet=True))
    timings, metrics = (read_lines(config.run.dir / f"{name}.jsonl") for name in ("timings", "metrics"))
    keys = [key for key in timings[-1] if key.endswith("_s") and key != "whole_s"]
    return {
        "step_s": [line["whole_s"] for line in timings[1:]],
        "cpu_s": [late - early for early, late in pairwise(grader.cpu_s)],
        "memory_bytes": peak_memory(work.device) - (before if work.device == "cpu" else 0),
        "tokens": [line["tokens"] for line in metrics[1:]],
        "lengths": grader.lengths,
        "parts": {key: [line.get(key, 0.0) for line in timings[1:]] for key in keys},
    }


class _InProcessGrader:
    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.cpu_s: list[float] = []
        """When each step was graded: from one to the next is a step's work."""

    def grade(self, rollouts: Sequence[Any], run: object) -> list[Any]:
        from env_server.schemas import ScoredItem, Status

        self.cpu_s.append(time.process_time())
        self.lengths += [len(rollout.sample.tokens) for rollout in rollouts]
        return [
            ScoredItem(status=Status.SCORED, task_id=rollout.task.id, reward=trivial_reward(rollout.text))
            for rollout in rollouts
        ]


@contextmanager
def _service(directory: Path) -> Iterator[Any]:
    """Grade through a reward service with a rewarder that answers at once, and a ledger."""
    from env_server.client import RewardClient
    from trainer.grading import ServiceGrader
    from trainer.server import spawned_server

    here = Path(__file__).parent
    os.environ["PYTHONPATH"] = os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])
    config = directory / "service.toml"
    config.write_text(
        '[plugins]\nload = []\nmodules = ["trivial_rewarder"]\n'
        '[rubrics."trivial.v1"]\nparts = [{ rewarder = "trivial.character_share" }]\n'
    )
    with spawned_server(directory / "server", config) as url, RewardClient(url, timeout_s=60) as client:
        yield ServiceGrader(client, items_per_request=256, nonce="benchmark")


def trl(work: Workload, directory: Path) -> dict[str, Any]:
    """Whole steps of TRL's GRPOTrainer: from the end of one to the end of the next."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(work.threads)
    before = resident()
    ends: list[float] = []
    cpu_s: list[float] = []
    lengths: list[int] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *args: object, **kwargs: object) -> None:
            if work.device == "cuda":
                torch.cuda.synchronize()
            ends.append(time.perf_counter())
            cpu_s.append(time.process_time())

    def reward(completions: list[Any], completion_ids: list[list[int]], **_: object) -> list[float]:
        lengths.extend(map(len, completion_ids))
        return [trivial_reward(completion[0]["content"]) for completion in completions]

    rows = work.prompts * work.group
    arguments: dict[str, Any] = {
        "output_dir": str(directory),
        "max_steps": work.steps + 1,
        "per_device_train_batch_size": min(work.micro_batch, rows),
        "gradient_accumulation_steps": max(1, rows // work.micro_batch),
        "num_generations": work.group,
        "max_completion_length": work.new_tokens,
        "beta": work.beta,
        "learning_rate": work.lr,
        "lr_scheduler_type": "constant",
        "temperature": 1.0,
        "loss_type": "grpo",
        "use_cpu": work.device == "cpu",
        "use_vllm": work.vllm,
        "bf16": work.dtype == "bfloat16",
        "gradient_checkpointing": False,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }
    if work.vllm:
        room = max(PROMPT_CHARACTERS) + 8 + work.new_tokens
        arguments |= {"vllm_mode": "colocate", "vllm_max_model_length": room}
        arguments |= {"vllm_importance_sampling_correction": False}  # a pass of its own, which ours does without
        if work.device == "cpu":
            _free_transfer()
    GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(work.model, dtype=work.dtype),
        processing_class=AutoTokenizer.from_pretrained(work.model),
        reward_funcs=reward,
        args=GRPOConfig(**{**arguments, **work.trl}),
        train_dataset=Dataset.from_list(
            [{"prompt": [{"role": "user", "content": text}]} for text in texts(work.prompts * (work.steps + 1))]
        ),
        callbacks=[Clock()],
    ).train()
    return {
        "step_s": [late - early for early, late in pairwise(ends)],
        "cpu_s": [late - early for early, late in pairwise(cpu_s)],
        "memory_bytes": peak_memory(work.device) - (before if work.device == "cpu" else 0),
        "tokens": [sum(lengths[start : start + rows]) for start in range(rows, len(lengths), rows)],
        "lengths": lengths,
    }


def _free_transfer() -> None:
    """Let TRL sample with the weights vLLM began with, at no cost.

    TRL 1.16 loads each weight by itself. On a CPU vLLM has packed them by then: "'Parameter' object has no attribute
    'weight_loader'".
    """
    from trl.generation.vllm_generation import VLLMGeneration

    VLLMGeneration.sync_weights = lambda self: self.llm.reset_prefix_cache()  # type: ignore[method-assign]


def resident() -> int:
    """Bytes of this process in memory now, libraries included."""
    _import_everything()
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _import_everything() -> None:
    """What a run imports late counts as import on either side."""
    for name in (
        "torch._dynamo",
        "transformers.models.llama.modeling_llama",
        "transformers.models.qwen2.modeling_qwen2",
    ):
        importlib.import_module(name)


def peak_memory(device: str) -> int:
    """Most bytes this process has had, in the GPU's memory or else in its own."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measured(side: str, work: Workload, python: str = sys.executable) -> dict[str, Any]:
    """Run one side in a process of its own and return what it measured.

    Raises:
        SystemExit: it failed; with the end of what it wrote to stderr.
    """
    threads, root = str(work.threads), str(Path(__file__).parents[1])
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "GOMP_SPINCOUNT": "0"}
    environment["PYTHONPATH"] = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    if work.vllm:  # TRL's engine wants to be told that there is one rank
        one = {
            "RANK": "0",
            "LOCAL_RANK": "0",
            "WORLD_SIZE": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(_free_port()),
        }
        environment |= {"VLLM_CPU_KVCACHE_SPACE": "1", **(one if side == "trl" else {})}
    command = [python, __file__, side, json.dumps(asdict(work))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def main() -> None:
    """Be one of the sides."""
    side, work = sys.argv[1], Workload(**json.loads(sys.argv[2]))
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps({"ours": ours, "trl": trl}[side](work, Path(directory))))


if __name__ == "__main__":
    main()
