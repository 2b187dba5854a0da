#!/usr/bin/env bash
# slime: GRPO on GSM8K with the rewards of `env-server serve`; the rest of the command is as for any other run.
# `as=object` with --reward-key keeps what each component paid beside the reward.
set -euo pipefail

python train.py \
  --hf-checkpoint Qwen/Qwen2.5-0.5B-Instruct \
  --prompt-data gsm8k-with-answers.jsonl \
  --input-key messages \
  --label-key answer \
  --apply-chat-template \
  --rm-type remote_rm \
  --rm-url 'http://127.0.0.1:8080/slime/math.v1?as=object&run=slime-gsm8k' \
  --reward-key reward \
  "$@"
