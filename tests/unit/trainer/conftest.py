"""A policy of a few thousand weights, and rollouts drawn from it."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from rewarders.types import FinishReason, Message, Task
from trainer.config import ModelSection
from trainer.models import Policy, load_policy
from trainer.rollouts import Batch, Rollout, pack
from trainer.samplers import Sample
from trainer.tiny import build_tiny_model

torch.set_num_threads(1)  # a second thread only waits for the first on models this small

TaskMaker = Callable[..., Task]
BatchMaker = Callable[..., Batch]


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    build_tiny_model(path, "0123456789+=abcd", hidden=16, layers=2, heads=2, seed=7)
    return path


@pytest.fixture
def policy(model_path: Path) -> Policy:
    return load_policy(ModelSection(path=str(model_path), device="cpu"))


@pytest.fixture
def make_task() -> TaskMaker:
    def make(name: str = "t", text: str = "1+1=", **fields: object) -> Task:
        message = Message(role="user", content=text)
        return Task(id=name, prompt=(message,), rubric="math.v1", reference={"answer": "2"}, **fields)

    return make


@pytest.fixture
def make_batch(make_task: TaskMaker) -> BatchMaker:
    """Rollouts of random tokens: `lengths` in groups of `group_size`, prompts of different lengths."""

    def make(rewards: Sequence[float | None], lengths: Sequence[int], group_size: int = 4) -> Batch:
        draw = random.Random(3)
        rollouts = []
        for row, length in enumerate(lengths):
            group = row // group_size
            prompt = tuple(6 + (group * 5 + place) % 16 for place in range(3 + 2 * group))
            tokens = tuple(draw.randrange(6, 22) for _ in range(length))
            sample = Sample(tokens, (-1.0,) * length, FinishReason.LENGTH, "0")
            rollouts.append(Rollout(make_task(), prompt, group, row % group_size, sample, ""))
        parts = [{"whole": (reward or 0.0, 1.0)} for reward in rewards]
        return pack(rollouts, rewards, torch.device("cpu"), parts)

    return make
