"""Rollouts that a checkpoint has to keep: the weights that sampled them are gone.

One JSON document a line, a portion each, in the order in which they finished. Floats are written so that the same come
back. What has no grade yet is graded again, and the reward service answers what it recorded.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from env_server.schemas import ScoredItem
from rewarders.errors import CheckpointMismatch
from rewarders.types import FinishReason, Task
from trainer.checkpoint import IN_FLIGHT
from trainer.pipeline.portions import Portion
from trainer.rollouts import Rollout
from trainer.samplers import Sample


def written(portions: Iterable[Portion]) -> bytes:
    """The lines of these portions."""
    return b"".join(json.dumps(_line(portion), ensure_ascii=False).encode() + b"\n" for portion in portions)


def read_in_flight(checkpoint: Path) -> list[Portion]:
    """What a checkpoint keeps; nothing where it is of a run that had nothing under way.

    Raises:
        CheckpointMismatch: the file is not what this version writes.
    """
    path = checkpoint / IN_FLIGHT
    if not path.exists():
        return []
    try:
        return [_portion(json.loads(line)) for line in path.read_bytes().splitlines()]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointMismatch(
            f"{path} cannot be read: {error}", hint="another version of the trainer wrote it: go on with that one"
        ) from error


def _line(portion: Portion) -> dict[str, Any]:
    graded = None if portion.graded is None else [item.model_dump(mode="json") for item in portion.graded]
    return {
        "draw": portion.draw,
        "place": portion.place,
        "rounds": portion.rounds,
        "kept": portion.kept,
        "graded": graded,
        "rollouts": [_written_rollout(rollout) for rollout in portion.rollouts],
    }


def _written_rollout(rollout: Rollout) -> dict[str, Any]:
    sample = rollout.sample
    return {
        "task": rollout.task.model_dump(mode="json"),
        "prompt": rollout.prompt,
        "group": rollout.group,
        "index": rollout.index,
        "text": rollout.text,
        "tokens": sample.tokens,
        "logprobs": sample.logprobs,
        "finish_reason": sample.finish_reason.value,
        "weight_version": sample.weight_version,
    }


def _portion(line: dict[str, Any]) -> Portion:
    graded = line["graded"]
    return Portion(
        draw=line["draw"],
        place=line["place"],
        rounds=line["rounds"],
        kept=line["kept"],
        graded=None if graded is None else [ScoredItem.model_validate_json(json.dumps(item)) for item in graded],
        rollouts=[_rollout(kept) for kept in line["rollouts"]],
    )


def _rollout(line: dict[str, Any]) -> Rollout:
    reason, version = FinishReason(line["finish_reason"]), line["weight_version"]
    return Rollout(
        task=Task.model_validate_json(json.dumps(line["task"])),
        prompt=tuple(line["prompt"]),
        group=line["group"],
        index=line["index"],
        sample=Sample(tuple(line["tokens"]), tuple(line["logprobs"]), reason, version),
        text=line["text"],
    )
