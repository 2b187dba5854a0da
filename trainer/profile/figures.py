"""From a run directory to where its steps' time went, and what of the machine they used."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rewarders.errors import ConfigError
from trainer.config import TrainConfig
from trainer.log_lines import read_log
from trainer.profile.flops import Shape, step_flops
from trainer.profile.peak import Peak
from trainer.stopwatch import Phase

REST = "rest"
"""What belongs to no phase: templates, advantages, logs, evaluations, checkpoints."""
_SECTIONS = ("run", "model", "data", "algorithm", "lora", "correction", "sampling", "sampler")
_OF_LEARNING = (Phase.LOG_PROBS, Phase.BACKWARD, Phase.OPTIMISER)
_OLD_NAMES = {"sample_s": Phase.SAMPLING, "grade_s": Phase.GRADING, "train_s": "learning"}
"""Of runs from before phases were noted."""


def read_config(run: Path) -> TrainConfig:
    """What matters here of the configuration a run had. Raises ConfigError where `run` holds none."""
    try:
        known = json.loads((run / "config.json").read_bytes())
        # not all of it, so that runs of other versions can be read too
        return TrainConfig.model_validate({name: known[name] for name in _SECTIONS if name in known})
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{run} holds no readable config.json: {str(error)[:300]}",
            hint="name a run directory, or a configuration file (.toml) to run some steps of",
        ) from error


def figures(run: Path, shape: Shape | None, peak: Peak | None) -> dict[str, Any]:
    """Every step but the first, which also warms up, and their mean.

    Without a shape or a peak there is no utilisation; what a log does not have is left out.

    Raises:
        ConfigError: `run` holds no run of two steps.
    """
    config, timings = read_config(run), read_log(run, "timings.jsonl")[1:]
    metrics = {line["step"]: line for line in read_log(run, "metrics.jsonl")}
    if not timings:
        raise ConfigError(f"{run}: its logs have fewer than two steps, and the first one only warms up")
    steps = [_step(line, metrics.get(line["step"], {}), config, shape, peak) for line in timings]
    return {
        "run": config.run.id,
        "device": device_of(run),
        "sampler": config.sampler.kind,
        "steps": steps,
        "mean": _mean(steps),
        "peak": {"flops": peak.flops, "source": peak.source} if peak else None,
    }


def _step(
    line: Mapping[str, float],
    metrics: Mapping[str, float],
    config: TrainConfig,
    shape: Shape | None,
    peak: Peak | None,
) -> dict[str, Any]:
    phases, whole, tokens = _phases(line), line["whole_s"], metrics.get("tokens", 0.0)
    found: dict[str, Any] = {
        "step": line["step"],
        "whole_s": whole,
        "phases_s": {**phases, REST: max(0.0, whole - sum(phases.values()))},
        "beside_s": _named(line, "background/"),
        "new_tokens": tokens,
        "tokens_per_second": tokens / whole,
    }
    if "peak_memory_bytes" in line:
        found["peak_memory_bytes"] = line["peak_memory_bytes"]
    if shape and "sampled_tokens" in line:
        stepped, adapter = metrics.get("stepped"), config.lora.rank > 0
        found["flops"] = step_flops(shape, line, config.algorithm, stepped=stepped, adapter=adapter)
        if peak:
            sampled_here = config.sampler.kind != "vllm_server"
            found["mfu"] = _utilisation(found, found["flops"], peak, sampled_here=sampled_here)
    return found


def _phases(line: Mapping[str, float]) -> dict[str, float]:
    named = _named(line, "phase/")
    return named or {str(name): line[key] for key, name in _OLD_NAMES.items() if key in line}


def _named(line: Mapping[str, float], prefix: str) -> dict[str, float]:
    return {key.removeprefix(prefix).removesuffix("_s"): value for key, value in line.items() if key.startswith(prefix)}


def _utilisation(
    found: Mapping[str, Any], work: Mapping[str, float], peak: Peak, *, sampled_here: bool
) -> dict[str, float]:
    """Share of the peak that the model's own operations are: of the whole step, and of each part's own time.

    What vLLM samples on servers is not this device's work.
    """
    phases, beside = found["phases_s"], found["beside_s"]
    learning = sum(phases.get(name, 0.0) for name in _OF_LEARNING) or phases.get("learning", 0.0)
    seconds = {"learning": learning}
    if sampled_here:
        seconds["sampling"] = phases.get(Phase.SAMPLING, 0.0) + beside.get(Phase.SAMPLING, 0.0)
    whole = sum(work[name] for name in seconds) / found["whole_s"] / peak.flops
    return {"step": whole, **{name: work[name] / spent / peak.flops for name, spent in seconds.items() if spent}}


def _mean(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over steps of every number, by the same names; rates are of the sums."""
    first = steps[0]
    mean: dict[str, Any] = {}
    for key, value in first.items():
        if isinstance(value, Mapping):
            names = list(dict.fromkeys(name for step in steps for name in step.get(key, ())))
            mean[key] = {name: fmean(step.get(key, {}).get(name, 0.0) for step in steps) for name in names}
        elif key != "step":
            mean[key] = fmean(step.get(key, 0.0) for step in steps)
    mean["tokens_per_second"] = mean["new_tokens"] / mean["whole_s"]
    return mean


def device_of(run: Path) -> str:
    """What the run computed on, as its manifest names it."""
    found = _manifest(run)
    return str(found.get("device_name", found.get("device", "unknown")))


def ranks_of(run: Path) -> int:
    """How many devices the run learnt on, as its manifest says."""
    return int(_manifest(run).get("ranks", 1))


def _manifest(run: Path) -> dict[str, Any]:
    try:
        found = json.loads((run / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
