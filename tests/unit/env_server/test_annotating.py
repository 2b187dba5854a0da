"""What people say of records: how far they agree, and what can be said of what."""

import json
from typing import Any
from uuid import uuid4

import pytest

from env_server.agreement import agreement
from env_server.annotate_cli import _label
from env_server.annotating import Annotation, annotation, replayed, require_subject
from env_server.ledger.entry import Kind
from env_server.redaction import Redactor
from env_server.replay.results import Opinion, Replay, ReplayedPart, Result
from rewarders.errors import RequestError


def label(about: str, by: str, said: Any, *, number: int = 0, invalid: bool = False) -> dict[str, Any]:
    notes = [{"kind": "invalidation"}] if invalid else []
    return {"id": f"{number:04}", "about": about, "detail": {"by": by, "label": said, "reason": "r"}, "notes": notes}


def test_people_who_say_the_same_agree_and_those_who_do_not_disagree():
    same = [label(f"r{n}", by, n % 2 == 0) for n in range(10) for by in ("ann", "bob")]
    assert agreement(same).alpha.value == 1.0
    opposite = [label(f"r{n}", by, (n % 2 == 0) == (by == "ann")) for n in range(10) for by in ("ann", "bob")]
    found = agreement(opposite)
    assert (found.labels, found.people, found.completions, found.shared) == (20, 2, 10, 10)
    assert found.alpha.value is not None
    assert found.alpha.value < 0


def test_the_last_word_of_a_person_counts_in_whatever_order_it_is_read():
    labels = [label("r1", "ann", True, number=1), label("r1", "ann", False, number=2)]
    labels += [label("r1", "bob", False), label("r2", "ann", True), label("r2", "bob", True)]
    for order in (labels, labels[::-1]):
        found = agreement(order)
        assert (found.labels, found.alpha.value) == (4, 1.0)


def test_numbers_are_compared_by_distance_and_names_are_not():
    near = [label(f"r{n}", by, n / 10 + (0.01 if by == "bob" else 0)) for n in range(10) for by in ("ann", "bob")]
    alpha = agreement(near).alpha.value
    assert alpha is not None
    assert alpha > 0.99
    names = [label(f"r{n}", by, f"kind {n}{by}") for n in range(10) for by in ("ann", "bob")]
    disagreed = agreement(names).alpha.value
    assert disagreed is not None
    assert disagreed <= 0


def test_labels_that_were_taken_back_or_erased_are_left_out():
    erased = {**label("r1", "eve", True), "detail": {}}
    found = agreement([label("r1", "ann", True), label("r1", "bob", False, invalid=True), erased])
    assert (found.labels, found.invalid, found.shared, found.alpha.value) == (1, 1, 0, None)
    assert "says nothing of agreement" in found.sentence()


def record(kind: Kind) -> dict[str, Any]:
    return {"id": str(uuid4()), "kind": kind, "run": "demo", "step": 3, "group": None, "sample": None,
            "task_id": "t", "rubric": "m.v1", "tenant": "acme", "erased": False}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "subjects"),
    [
        (Kind.CORRECTION, {Kind.REWARD}),
        (Kind.LABEL, {Kind.REWARD}),
        (Kind.REPLAY, {Kind.REWARD}),
        (Kind.INVALIDATION, {Kind.REWARD, Kind.CORRECTION, Kind.LABEL, Kind.REPLAY}),
    ],
)
def test_each_kind_is_about_what_it_can_be_about(kind: Kind, subjects: set[Kind]):
    for subject in Kind:
        if subject in subjects:
            require_subject(record(subject), kind)
        else:
            with pytest.raises(RequestError, match=f"and this record is a {subject}"):
                require_subject(record(subject), kind)


def test_a_note_is_found_where_its_record_is_found():
    about = record(Kind.REWARD)
    entry = annotation(about, Annotation(kind="correction", reward=0.5, by="ann", reason="why"), None)
    assert (entry.run, entry.step, entry.task_id, entry.rubric, entry.tenant) == ("demo", 3, "t", "m.v1", "acme")
    assert (entry.kind, entry.reward, entry.about and entry.about.hex()) == (
        "correction",
        0.5,
        about["id"].replace("-", ""),
    )
    assert (entry.task, entry.completion, entry.instrument, entry.said) == (None, None, None, ())


@pytest.mark.parametrize(
    ("text", "said"), [("good", True), ("No", False), ("0.5", 0.5), ("1", 1.0), ("reward_hack", "reward_hack")]
)
def test_a_label_on_the_command_line_is_what_it_looks_like(text: str, said: Any):
    assert (_label(text), type(_label(text))) == (said, type(said))


def test_what_people_and_replays_say_is_redacted_like_what_was_scored():
    redactor = Redactor.of(["email"], [])
    said = Annotation(kind="label", label="by eve@example.org", by="ann@example.org", reason="wrote bob@example.org")
    entry = annotation(record(Kind.REWARD), said, redactor)
    assert b"example" not in entry.detail
    assert json.loads(entry.detail)["redactions"][0]["count"] == 3
    now = Opinion(score=0.0, reason="wrong")
    part = ReplayedPart(rewarder="m", result=Result.DIFFERENT, now=now, evidence={"answer": ("1", "eve@example.org")})
    about = record(Kind.REWARD)
    replay = Replay(record_id=about["id"], result=Result.DIFFERENT, components=(part,))
    detail = json.loads(replayed(about, replay, redactor).detail)
    assert detail["components"][0]["evidence"] == {"answer": ["1", "█" * 15]}
    assert (detail["result"], detail["components"][0]["now"]["reason"]) == ("different", "wrong")


def test_nothing_can_be_said_of_an_erased_record():
    with pytest.raises(RequestError, match="was erased"):
        annotation(
            {**record(Kind.REWARD), "erased": True}, Annotation(kind="label", label=1.0, by="a", reason="r"), None
        )
