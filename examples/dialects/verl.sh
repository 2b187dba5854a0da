#!/usr/bin/env bash
# verl 0.9: GRPO on GSM8K with the rewards of `env-server serve`. verl's workers need the service's client: pip install assay httpx.
# A completion that could not be scored stops the run; `unscored=0.0` would train on it as a 0, and count it in `unscored`.
set -euo pipefail

python -m verl.trainer.main_ppo \
  algorithm.adv_estimator=grpo \
  actor_rollout_ref.model.path=Qwen/Qwen2.5-0.5B-Instruct \
  data.train_files=gsm8k/train.parquet \
  data.val_files=gsm8k/test.parquet \
  reward.custom_reward_function.path=pkg://env_server.dialects.verl \
  reward.custom_reward_function.name=compute_score \
  +reward.custom_reward_function.reward_kwargs.url=http://127.0.0.1:8080 \
  +reward.custom_reward_function.reward_kwargs.rubric=math.v1 \
  +reward.custom_reward_function.reward_kwargs.run=verl-gsm8k \
  "$@"
