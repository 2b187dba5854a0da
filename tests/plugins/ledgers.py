"""Ledgers for tests and benchmarks, written by the service's own writer, with records as a service would make them."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from env_server.ledger.entry import Entry, Kind, Said, new_id
from env_server.ledger.laying import lay_out
from env_server.ledger.opening import open_to_write
from env_server.ledger.place import Place
from env_server.ledger.publishing import Publisher
from env_server.ledger.slots import CHECKPOINT_FILE, claim_slot
from env_server.ledger.tree import WriterTree
from rewarders.digests import canonical_json

REASONS = ("equal", "wrong", "no_answer")


def reward(number: int, **columns: Any) -> Entry:
    """The record of one reward: 16 completions of each prompt, three components."""
    reason = REASONS[number % 3]
    score = 1.0 if reason == "equal" else 0.0
    said = (
        Said("layout.tags", "ok", False),
        Said("maths.equal", reason, False),
        Said("judge.help", "JudgeFault", True),
    )
    task = {"id": f"t{number // 16}", "prompt": [{"role": "user", "content": f"What is {number // 16} + 1?"}]}
    return Entry(
        id=new_id(),
        kind=Kind.REWARD,
        detail=canonical_json(_detail(said, score, number)),
        run=columns.pop("run", "r"),
        step=number // 64,
        group=f"g{number // 16}",
        sample=number % 16,
        task_id=f"t{number // 16}",
        rubric="maths.v1",
        status="scored",
        reward=score,
        instrument=canonical_json({"parts": [{"rewarder": one.rewarder} for one in said], "service": "assay 0"}),
        task=canonical_json({**task, "reference": {"answer": str(number // 16 + 1)}}),
        completion=canonical_json({"text": f"I think it is {number}.", "finish_reason": "stop"}),
        said=said,
        **columns,
    )


def note(kind: Kind, about: bytes, **said: Any) -> Entry:
    """A record about another."""
    return Entry(id=new_id(), kind=kind, detail=canonical_json(said), about=about)


def _detail(said: Sequence[Said], score: float, number: int) -> dict[str, Any]:
    def component(one: Said) -> dict[str, Any]:
        verdict = {"score": score, "reason": one.reason, "evidence": {"answer": str(number)}}
        fault = {"kind": one.reason, "message": "gone", "retryable": True, "attempt": 1}
        says = {"verdict": None, "fault": fault} if one.fault else {"verdict": verdict, "fault": None}
        about = {"rewarder": one.rewarder, "version": "1.0", "distribution": "assay", "weight": 1.0, "gate": False}
        used = {"observed": None, "contribution": 0.0, "cpu_s": 0.000121, "wall_s": 0.000213, "cached": False}
        return {**about, **says, **used}

    breakdown = {"reward": score, "rubric": "maths.v1", "components": [component(one) for one in said]}
    return {"breakdown": breakdown, "sandboxes": [None] * 3, "models": [None] * 3, "redactions": [], "task_digest": ""}


@contextmanager
def writing(data_dir: Path, url: str | None = None) -> Iterator[WriterTree]:
    """A writer of its own; it signs when it is done."""
    database, slot = open_to_write(Place(data_dir, url)), claim_slot(data_dir)
    try:
        publisher = Publisher([slot.directory / CHECKPOINT_FILE])
        tree = WriterTree(database, slot, publisher.publish)
        yield tree
        tree.sign()
        publisher.flush()
    finally:
        slot.release()
        database.dispose()


def write(data_dir: Path, entries: Sequence[Entry], *, at_once: int = 1000, url: str | None = None) -> None:
    """Put records into the ledger of a data directory, in so many commits."""
    with writing(data_dir, url) as tree:
        for begin in range(0, len(entries), at_once):
            tree.commit([lay_out(entries[begin : begin + at_once])])


@contextmanager
def database(data_dir: Path) -> Iterator[sqlite3.Connection]:
    """What whoever tampers opens: no checks of any kind."""
    connection = sqlite3.connect(data_dir / "ledger.sqlite3", isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
