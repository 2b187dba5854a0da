"""What a planned run would take in hours and money, with everything it assumes said aloud."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewarders.errors import ConfigError
from trainer.config import TrainConfig
from trainer.log_lines import read_log


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How quickly, and how verbosely, a step goes."""

    tokens_per_second: float
    """New tokens over the seconds of whole steps: sampled, graded and learnt from."""
    tokens_per_completion: float
    assumed: tuple[str, ...]


def given_speed(config: TrainConfig, tokens_per_second: float) -> Speed:
    """A speed that somebody names; completions are taken to be as long as they may.

    Raises:
        ConfigError: the speed is not above 0.
    """
    if not tokens_per_second > 0:
        raise ConfigError(f"--tokens-per-second {tokens_per_second:g}: must be above 0")
    longest = config.sampling.max_new_tokens
    assumed = (
        f"{tokens_per_second:,.0f} new tokens a second in whole steps (sampled, graded, learnt from), as given",
        f"each completion has sampling.max_new_tokens = {longest} tokens, which is the most",
    )
    return Speed(tokens_per_second=tokens_per_second, tokens_per_completion=longest, assumed=assumed)


def measured_speed(run: Path) -> Speed:
    """The speed of a run that has been, by its logs; its first step, which also warms up, is left out.

    Raises:
        ConfigError: `run` holds no run with two steps.
    """
    seconds = {line["step"]: line["step_s"] for line in read_log(run, "timings.jsonl") if "step_s" in line}
    steps = [line for line in read_log(run, "metrics.jsonl") if line["step"] in seconds and "tokens" in line][1:]
    spent, tokens = sum(seconds[line["step"]] for line in steps), sum(line["tokens"] for line in steps)
    if not (spent > 0 and tokens > 0):
        raise ConfigError(f"--like {run}: its logs have fewer than two steps", hint="name a run directory")
    length = sum(line["length_mean"] for line in steps) / len(steps)
    assumed = (
        f"{tokens / spent:,.1f} new tokens a second in whole steps, as in {len(steps)} steps of {run}",
        f"completions of {length:.1f} tokens, as there",
        "the same model on the same machine: a larger one, or another length of prompt, goes at another speed",
    )
    return Speed(tokens_per_second=tokens / spent, tokens_per_completion=length, assumed=assumed)


def cost(config: TrainConfig, speed: Speed, *, held_out_tasks: int, price_per_hour: float | None) -> dict[str, Any]:
    """Hours, and money where an hour has a price."""
    rollouts = config.run.steps * config.sampling.prompts_per_step * config.sampling.group_size
    judged = _evaluations(config) * min(held_out_tasks, config.eval.limit or held_out_tasks) * config.eval.samples
    length = min(speed.tokens_per_completion, config.sampling.max_new_tokens)
    hours = (rollouts + judged) * length / speed.tokens_per_second / 3600
    assumed = [
        *speed.assumed,
        f"{judged:,} completions of held-out tasks, no quicker than whole steps",
    ]
    assumed.append("no more than one round of sampling a step, and no time for starting and saving")
    answer = {"new_tokens": round((rollouts + judged) * length), "hours": hours}
    if price_per_hour is not None:
        assumed.append(f"{price_per_hour:g} an hour for all devices together")
        answer["money"] = hours * price_per_hour
    return {**answer, "assumed": assumed}


def describe(found: dict[str, Any]) -> Sequence[str]:
    """The lines of `trainer plan` about it."""
    money = f", {found['money']:,.2f} in money" if "money" in found else ""
    return [
        f"{'takes about':20} {found['hours']:,.2f} hours{money}",
        *(f"  assuming {each}" for each in found["assumed"]),
    ]


def _evaluations(config: TrainConfig) -> int:
    """Evaluations of a run, the one before the first step included."""
    return config.run.steps // config.eval.every_steps + 1 if config.eval.every_steps else 0
