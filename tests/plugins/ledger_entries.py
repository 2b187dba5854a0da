"""Entries for a ledger's tests, as the engine would make them."""

import json

from env_server.ledger.entry import Entry, Kind, Said, new_id
from rewarders.digests import canonical_json

INSTRUMENT = canonical_json({"parts": [{"rewarder": "odd.length"}], "rubric_digest": "sha256:0", "service": "assay 0"})


def reward_entry(text: str = "4", *, task_id: str = "t1", reward: float | None = 1.0, **columns: object) -> Entry:
    """A reward as the engine records one; columns override what it has."""
    detail = {
        "breakdown": {"components": [{"rewarder": "odd.length"}]},
        "sandboxes": [None],
        "models": [None],
        "redactions": [],
    }
    made = {
        "id": new_id(),
        "kind": Kind.REWARD,
        "detail": canonical_json(detail),
        "run": "r",
        "step": 1,
        "task_id": task_id,
        "rubric": "length.v1",
        "status": "scored" if reward is not None else "unscored",
        "reward": reward,
        "instrument": INSTRUMENT,
        "task": json.dumps({"id": task_id}).encode(),
        "completion": json.dumps({"text": text}).encode(),
        "said": (Said("odd.length", "done", fault=False),),
    }
    return Entry(**{**made, **columns})  # type: ignore[arg-type]
