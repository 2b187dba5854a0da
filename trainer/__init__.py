"""GRPO and its relatives against a running reward service.

prompts -> sampler -> groups -> grader -> step -> weights. Left out on purpose: critics, multi-turn
rollouts, tensor parallelism, top-p sampling. Rewards come over HTTP from `env_server`; an unscored rollout
is absent from the loss and from its denominator, never a zero.
"""
