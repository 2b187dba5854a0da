"""TRL: GRPO on GSM8K with the rewards of `env-server serve`. One function for each component, one request for all.

What the service failed to score is `None` to TRL: out of the group's statistics and out of the loss.
"""

from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer

from env_server.dialects.trl import reward_funcs


def row(example: dict[str, str]) -> dict[str, object]:
    """A question as a conversation, and the number after the last mark as its label."""
    return {
        "prompt": [{"role": "user", "content": example["question"]}],
        "answer": example["answer"].rpartition("####")[2].strip(),
    }


if __name__ == "__main__":
    GRPOTrainer(
        "Qwen/Qwen2.5-0.5B-Instruct",
        reward_funcs=reward_funcs("http://127.0.0.1:8080", "math.v1", label="answer", run="trl-gsm8k"),
        args=GRPOConfig(output_dir="runs/trl-gsm8k", num_generations=8),
        train_dataset=load_dataset("openai/gsm8k", "main", split="train").map(row),
    ).train()
