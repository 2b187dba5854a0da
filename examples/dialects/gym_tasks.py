"""TRL on tasks of reasoning-gym, judged by its own score functions through the rewarder of examples/reasoning_gym:
`python -m env_server serve --config examples/reasoning_gym/service.toml`. Other trainers take the same labels."""

import json
from collections.abc import Iterator
from typing import Any

ASK = "Think first, then write the answer alone in <answer> </answer>."


def rows(generator: str, size: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Prompts, and labels that spell references: the generator's name with one entry."""
    import reasoning_gym

    for entry in reasoning_gym.create_dataset(generator, size=size, seed=seed):
        prompt = [{"role": "system", "content": ASK}, {"role": "user", "content": entry["question"]}]
        yield {"prompt": prompt, "label": json.dumps({"dataset": generator, "entry": entry})}


if __name__ == "__main__":
    from datasets import Dataset
    from trl import GRPOTrainer

    from env_server.dialects.trl import reward_funcs

    functions = reward_funcs("http://127.0.0.1:8080", "reasoning-gym.v1", label="label", json_labels=True)
    tasks = Dataset.from_list(list(rows("spell_backward", size=1000)))
    GRPOTrainer("Qwen/Qwen2.5-0.5B-Instruct", reward_funcs=functions, train_dataset=tasks).train()
