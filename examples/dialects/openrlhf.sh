#!/usr/bin/env bash
# OpenRLHF 0.11: PPO on GSM8K with the rewards of `env-server serve`. One URL: it may be a load balancer's.
# Its client sends a batch of one, takes any status but 2xx as a reason to ask again, five times, and then has no reward.
set -euo pipefail

python -m openrlhf.cli.train_ppo_ray \
  --actor.model_name_or_path Qwen/Qwen2.5-0.5B-Instruct \
  --data.prompt_dataset my/gsm8k-with-answers \
  --data.input_key messages \
  --data.label_key answer \
  --data.apply_chat_template \
  --reward.remote_url 'http://127.0.0.1:8080/openrlhf/math.v1/get_reward?run=openrlhf-gsm8k' \
  "$@"
