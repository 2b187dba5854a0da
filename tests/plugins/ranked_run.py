"""A whole run with a grader of its own, for torchrun: `ranked_run.py CONFIG [--set=KEY=VALUE ...]`.

`ranked_run.py CONFIG --again DIR` writes the newest checkpoint anew to DIR, by the ranks there are.
"""

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from env_server.schemas import Run, ScoredItem, Status
from trainer import checkpoint
from trainer.config import TrainConfig
from trainer.config_file import load_config
from trainer.distributed.joining import Joined
from trainer.distributed.leaving import leaving
from trainer.distributed.ranks import leads
from trainer.distributed.sharding import section_to_load
from trainer.learner import build_learner
from trainer.loop import train
from trainer.models import load_policy
from trainer.rollouts import Rollout


class CountingDigits:
    """Pays for the share of digits, and a little for what nobody could learn; says when it is asked."""

    def grade(self, rollouts: Sequence[Rollout], run: Run) -> list[ScoredItem]:
        if "ASKED" in os.environ:
            Path(os.environ["ASKED"]).write_text(str(run.step))
        return [ScoredItem(status=Status.SCORED, task_id=one.task.id, reward=_reward(one.text)) for one in rollouts]


def _reward(text: str) -> float:
    noise = hashlib.sha256(text.encode()).digest()[0] / 2560
    return sum(character.isdigit() for character in text) / max(1, len(text)) + noise


def write_again(config: TrainConfig, to: Path) -> None:
    """Load the newest checkpoint, and save what was loaded."""
    found = checkpoint.latest(config.run.dir / "checkpoints")
    assert found is not None
    policy = load_policy(section_to_load(config.model), found.path)
    learner = build_learner(config, policy, found)
    marks = {"step": found.step, "identity": found.identity, "offsets": found.offsets, "keep": 1}
    checkpoint.save(to, policy, learner.optimizer, critic=learner.critic, **marks)


def main(path: str, *arguments: str) -> None:
    torch.set_num_threads(1)
    overrides = [argument.removeprefix("--set=") for argument in arguments if argument.startswith("--set=")]
    config = load_config(TrainConfig, Path(path), overrides)
    with Joined(config.distributed):
        if "--again" in arguments:
            write_again(config, Path(arguments[-1]))
        else:
            console = Console(stderr=True, quiet=not leads())
            train(config, CountingDigits(), console)


if __name__ == "__main__":
    with leaving():
        main(*sys.argv[1:])
