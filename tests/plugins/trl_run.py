"""TRL's own GRPOTrainer on a tiny model with rewards from a service: `python trl_run.py URL FOLDER STEPS`.

Writes one line a step to FOLDER/seen.jsonl: the completions, and what TRL made of their rewards.
"""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from env_server.client import AsyncRewardClient
from env_server.dialects.trl import reward_funcs
from trainer.tiny import build_tiny_model

URL, FOLDER, STEPS = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])


class Watched(GRPOTrainer):
    """Writes down what the reward functions gave, and what became of it."""

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> torch.Tensor:
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        line = {"texts": [one[0]["content"] for one in completions], "rewards": rewards.tolist()}
        with (FOLDER / "seen.jsonl").open("a") as seen:
            seen.write(json.dumps(line) + "\n")
        return rewards

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        with (FOLDER / "advantages.jsonl").open("a") as seen:
            seen.write(json.dumps(output["advantages"].tolist()) + "\n")
        return output


def count_requests() -> list[int]:
    """How many items each call of the client has; a call that is sent again is the same call."""
    sizes: list[int] = []
    score = AsyncRewardClient.score

    async def counted(self: AsyncRewardClient, items: Any, *rest: Any, **named: Any) -> Any:
        sizes.append(len(items))
        return await score(self, items, *rest, **named)

    AsyncRewardClient.score = counted  # type: ignore[method-assign]
    return sizes


def main() -> None:
    torch.set_num_threads(1)
    build_tiny_model(FOLDER / "model", "abcd", hidden=16, layers=1, heads=2)
    functions = [pickle.loads(pickle.dumps(one)) for one in reward_funcs(URL, "slow.v1", label="", run="trl")]
    settings = GRPOConfig(
        output_dir=str(FOLDER / "out"), max_steps=STEPS, per_device_train_batch_size=8, num_generations=4,
        max_completion_length=8, report_to="none", use_cpu=True, save_strategy="no", logging_steps=1, seed=7,
        learning_rate=1e-3, disable_tqdm=True,
    )  # fmt: skip
    rows = Dataset.from_list([{"prompt": [{"role": "user", "content": word}]} for word in ("ab", "cd", "ba", "dc")])
    sizes = count_requests()
    trainer = Watched(str(FOLDER / "model"), reward_funcs=functions, args=settings, train_dataset=rows)
    trainer.train()
    finite = all(bool(torch.isfinite(weight).all()) for weight in trainer.model.parameters())
    history = [line for line in trainer.state.log_history if "reward" in line]
    (FOLDER / "done.json").write_text(json.dumps({"requests": sizes, "finite": finite, "history": history}))


if __name__ == "__main__":
    main()
