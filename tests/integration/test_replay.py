"""Recorded rewards computed again by a real service: what is equal, what is not, and what nobody can say."""

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from judge_endpoint import Asked, judge_endpoint
from raw_items import raw_item
from recorded_cases import mixed_bag

from env_server.app import open_service
from env_server.ledger.reader import LedgerReader
from env_server.record_filter import RecordFilter
from env_server.replay.recomputing import Slice, recompute
from env_server.replay.replayer import INSTALLED, Comparison, Replayer
from env_server.replay.results import Promise, Replay, Result, Why
from env_server.replay.rubrics import RubricArchive
from env_server.schemas import Run
from env_server.service import Service

RECORDED = int(os.environ.get("ASSAY_REPLAYS", "300"))
"""How many verdicts of the mixed bag are recorded and computed again. The bar is 10,000."""
AT_ONCE = 500
OFF = {"backend": "off"}
PLAIN = Comparison()
CRITERIA = {"right": "It is right.", "brief": "It is brief."}
"""Not in the order of the alphabet: the judge is asked in this one, then and now."""
DOUBLED = {"language": "python", "tests": {"kind": "stdio", "cases": [{"stdin": "2\n", "stdout": "4\n"}]}}


async def recorded(service: Service, *items: dict[str, Any], step: int | None = None) -> list[dict[str, Any]]:
    """Items scored, and their records as the ledger has them."""
    answer = json.loads(await service.engine.score(items, Run(id="demo", step=step)))
    assert not answer["problems"], answer["problems"]
    assert service.reader is not None
    return [service.reader.record(item["record_id"]) or {} for item in answer["items"]]


def replayer(service: Service) -> Replayer:
    assert service.reader is not None
    return Replayer(service.engine, service.registry, RubricArchive(service.engine.rubrics, service.reader))


async def replayed(service: Service, record: dict[str, Any], how: Comparison = PLAIN) -> Replay:
    return await replayer(service).replay(record, how)


def replay_of(
    opened: Callable[..., Any], item: dict[str, Any], change: Callable[[dict[str, Any]], Any] = lambda _: None,
    how: Comparison = PLAIN, *, step: int | None = None, **sections: Any,
) -> Replay:  # fmt: skip
    """One item scored and computed again, after something was done to its record."""

    async def run() -> Replay:
        async with opened(sandbox=OFF, **sections) as service:
            (record,) = await recorded(service, item, step=step)
            change(record)
            return await replayed(service, record, how)

    return asyncio.run(run())


def test_every_recorded_verdict_of_a_pure_rewarder_comes_out_the_same(odd_config):
    rubrics, items = mixed_bag(RECORDED)
    config = odd_config(rubrics=rubrics, sandbox=OFF, plugins={"load": ["assay"], "modules": []})

    async def record() -> None:
        async with open_service(config) as service:
            for start in range(0, len(items), AT_ONCE):
                answer = json.loads(await service.engine.score(items[start : start + AT_ONCE], Run(id="bag")))
                assert not answer["problems"], answer["problems"][:3]
                assert {item["status"] for item in answer["items"]} == {"scored"}

    asyncio.run(record())
    different: list[str] = []
    report = recompute(
        config, Slice(RecordFilter(run="bag")), Comparison(),
        on_replay=lambda _, replay, __: different.append(replay.model_dump_json())
        if replay.result is not Result.EQUAL else None,
    )  # fmt: skip
    assert different == []
    assert (report.compared, report.results[Result.EQUAL]) == (RECORDED, RECORDED)


def test_a_ledger_in_postgresql_is_computed_again_too(odd_config, postgres):
    items = [raw_item("x" * length, group=f"g{length % 5}") for length in range(40)]
    config = odd_config(sandbox=OFF, ledger={"url": postgres.make_database()}, workers={"max_waiting_jobs": 1024})

    async def record() -> None:
        async with open_service(config) as service:
            await recorded(service, *items)

    asyncio.run(record())
    chosen = Slice(RecordFilter(run="demo", reward_min=0.1), sample=20)
    report = recompute(config, chosen, Comparison(against="1.0", rewarder="odd.length"))
    assert (report.compared, report.results[Result.EQUAL], report.flips) == (20, 20, 0)
    with closing(LedgerReader(config.ledger.place)) as reader:
        assert reader.matching(RecordFilter(kind="replay", status="equal")) == 20


def test_a_record_keeps_keys_in_their_order_since_a_rewarder_can_tell(odd_service):
    call = {"name": "search", "arguments": {"query": "b", "after": "a"}}
    item = raw_item("x")
    item["completion"]["messages"] = [{"role": "assistant", "tool_calls": [{"type": "function", "function": call}]}]

    async def run() -> dict[str, Any]:
        async with odd_service(sandbox=OFF) as service:
            return (await recorded(service, item))[0]

    (kept,) = asyncio.run(run())["completion"]["messages"]
    assert json.dumps(kept["tool_calls"][0]) == json.dumps({"type": "function", "function": call})


def test_a_reward_of_gates_penalties_and_a_schedule_is_combined_as_it_was(odd_service):
    parts = [
        {"rewarder": "odd.length", "weight": [[0, 0.25], [100, 1.0]]},
        {"rewarder": "odd.echo", "weight": 1.0},
        {"rewarder": "odd.obeys", "gate": True},
    ]
    rubrics = {"mixed.v1": {"parts": parts}}
    item = raw_item("x" * 40, "mixed.v1", {"answer": "no"})
    replay = replay_of(odd_service, item, step=50, rubrics=rubrics)
    assert replay.result is Result.EQUAL
    assert replay.reward == replay.old_reward == pytest.approx(0.4 * 0.625 / 1.625)


def test_a_verdict_that_was_not_computed_again_is_computed_again_in_a_replay(odd_service):
    async def run() -> tuple[dict[str, Any], Replay]:
        async with odd_service(sandbox=OFF) as service:
            _, record = await recorded(service, raw_item("x" * 50), raw_item("x" * 50))
            kept = next(iter(service.engine.verdicts._kept))
            flattering = service.engine.verdicts._kept[kept].replace(b"0.5", b"0.9")
            service.engine.verdicts._kept[kept] = flattering
            return record, await replayed(service, record)

    record, replay = asyncio.run(run())
    assert record["breakdown"]["components"][0]["cached"] is True
    assert replay.result is Result.EQUAL


def test_a_verdict_that_was_tampered_with_is_different(odd_service):
    def flatter(record: dict[str, Any]) -> None:
        record["breakdown"]["components"][0]["verdict"]["score"] = 0.9

    replay = replay_of(odd_service, raw_item("x" * 50), flatter)
    (part,) = replay.components
    assert replay.result is part.result is Result.DIFFERENT
    assert part.then is not None
    assert part.now is not None
    assert (part.then.score, part.now.score) == (0.9, 0.5)


def test_evidence_alone_makes_a_difference_and_is_shown(odd_service):
    def tamper(record: dict[str, Any]) -> None:
        record["breakdown"]["components"][0]["verdict"]["evidence"] = {"seen": 1}

    replay = replay_of(odd_service, raw_item("x" * 50), tamper)
    assert replay.result is Result.DIFFERENT
    assert replay.components[0].evidence == {"seen": (1, None)}


def test_a_reward_that_does_not_follow_from_its_verdicts_is_different(odd_service):
    def flatter(record: dict[str, Any]) -> None:
        record["reward"] = 0.9

    replay = replay_of(odd_service, raw_item("x" * 50), flatter)
    assert (replay.result, replay.components[0].result) == (Result.DIFFERENT, Result.EQUAL)
    assert (replay.old_reward, replay.reward) == (0.9, 0.5)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda record: record.update(erased=True, task=None, completion=None, breakdown=None), Why.ERASED),
        (lambda record: record.update(completion=None), Why.ERASED),
        (lambda record: record.update(redactions=[{"rule": "email", "version": "1", "in": "completion", "count": 1}]),
         Why.REDACTED),
        (lambda record: record["task"].update(colour="red"), Why.UNREADABLE),
        (lambda record: record["instrument"].clear(), Why.UNREADABLE),
        (lambda record: record["breakdown"].update(rubric="old.v7"), Why.RUBRIC_MISSING),
        (lambda record: record["breakdown"].update(rubric_digest="sha256:other"), Why.RUBRIC_MISSING),
        (lambda record: record["instrument"][0].update(version="0.9"), Why.VERSION_MISSING),
        (lambda record: record["instrument"][0].update(code_digest="sha256:other"), Why.CODE_CHANGED),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_again_says_why_and_is_never_approximated(odd_service, change, why: Why):
    replay = replay_of(odd_service, raw_item("x" * 50), change)
    assert (replay.result, replay.why, replay.reward) == (Result.NOT_REPLAYABLE, why, None)


def test_other_code_under_the_same_version_is_named_by_both_digests(odd_service):
    replay = replay_of(
        odd_service, raw_item("x"), lambda record: record["instrument"][0].update(code_digest="sha256:old")
    )
    assert replay.components[0].detail is not None
    assert "sha256:old is on the record, sha256:" in replay.components[0].detail


def test_whatever_is_installed_speaks_where_that_is_asked_for(odd_service):
    def older(record: dict[str, Any]) -> None:
        record["instrument"][0].update(version="0.9", code_digest="sha256:old")

    replay = replay_of(odd_service, raw_item("x" * 50), older, Comparison(against=INSTALLED))
    assert replay.result is Result.EQUAL
    assert replay.components[0].environment["version"] == ("0.9", "1.0")
    assert "code_digest" in replay.components[0].environment


def test_one_rewarder_is_tried_while_the_others_stay_as_recorded(odd_service):
    rubrics = {"two.v1": {"parts": [{"rewarder": "odd.length"}, {"rewarder": "odd.obeys"}]}}

    def older(record: dict[str, Any]) -> None:
        for part in record["instrument"]:
            part.update(version="0.9")
        record["breakdown"]["components"][0]["verdict"]["score"] = 0.9
        record["breakdown"]["components"][1]["verdict"]["score"] = 0.25

    how = Comparison(against="1.0", rewarder="odd.length")
    replay = replay_of(odd_service, raw_item("x" * 50, "two.v1"), older, how, rubrics=rubrics)
    first, second = replay.components
    assert (first.result, second.result) == (Result.DIFFERENT, Result.AS_RECORDED)
    assert replay.reward == pytest.approx((0.5 + 0.25) / 2)


def test_a_new_version_that_cannot_use_the_reference_is_a_failure_and_no_difference(odd_service):
    def other(record: dict[str, Any]) -> None:
        record["task"]["reference"] = {"answer": 4}

    replay = replay_of(odd_service, raw_item("x", "echo.v1", {"answer": "4"}), other)
    assert replay.result is Result.COULD_NOT
    assert replay.components[0].fault is not None


def test_a_failure_of_ours_is_neither_equal_nor_different(odd_service):
    def other(record: dict[str, Any]) -> None:
        record["completion"]["text"] = "raise"

    replay = replay_of(odd_service, raw_item("fine", "obeys.v1"), other)
    assert (replay.result, replay.reward) == (Result.COULD_NOT, None)
    assert replay.components[0].detail is not None
    assert replay.components[0].detail.startswith("odd.obeys raised ValueError")


def test_a_closed_gate_settles_it_whatever_was_broken_beside_it(odd_service):
    parts = [{"rewarder": "odd.echo", "gate": True, "weight": 1.0}, {"rewarder": "odd.obeys"}]
    item = raw_item("raise", "gated.v1", {"answer": "4"})
    replay = replay_of(odd_service, item, rubrics={"gated.v1": {"parts": parts}})
    assert (replay.old_reward, replay.reward, replay.result) == (0.0, 0.0, Result.EQUAL)
    assert replay.components[1].why is Why.FAULTED


def test_the_ledger_remembers_a_rubric_that_is_served_no_more(odd_service):
    async def run() -> Replay:
        served = {"old.v1": {"parts": [{"rewarder": "odd.length", "weight": 2.0}, {"rewarder": "odd.obeys"}]}}
        async with odd_service(rubrics=served, sandbox=OFF) as service:
            (record,) = await recorded(service, raw_item("x" * 50, "old.v1"))
        async with odd_service(sandbox=OFF) as service:
            return await replayed(service, record)

    replay = asyncio.run(run())
    assert (replay.result, replay.reward) == (Result.EQUAL, pytest.approx(2 / 3))


def a_judge(url: str) -> dict[str, Any]:
    part = {"rewarder": "judge.criteria", "params": {"criteria": CRITERIA}}
    return {
        "judges": {"default": {"url": url, "model": "m", "tries": 1, "timeout_s": 20}},
        "calibration": {"required": False},
        "plugins": {"load": ["assay"], "modules": ["odd_rewarders"]},
        "rubrics": {"right.v1": {"parts": [part]}},
    }


def test_a_judges_recorded_reply_speaks_for_it_and_nobody_is_asked(odd_service):
    with judge_endpoint(lambda asked: asked.object(right=True, brief=True)) as endpoint:

        async def run() -> tuple[Replay, int]:
            async with odd_service(sandbox=OFF, **a_judge(endpoint.url)) as service:
                (record,) = await recorded(service, raw_item("It is 5.", "right.v1"))
                asked = len(endpoint.requests) + len(endpoint.greetings)
                endpoint.script = lambda asked: asked.object(right=False, brief=False)
                replay = await replayed(service, record)
                return replay, len(endpoint.requests) + len(endpoint.greetings) - asked

        replay, asked_again = asyncio.run(run())
    assert asked_again == 0
    assert (replay.result, replay.reward) == (Result.EQUAL, 1.0)
    assert replay.components[0].promise is Promise.CASSETTE


def test_a_judge_that_is_asked_anew_is_compared_and_the_record_stays(odd_service):
    with judge_endpoint(lambda asked: asked.object(right=True, brief=True)) as endpoint:

        async def run() -> tuple[Replay, Replay, bool]:
            async with odd_service(sandbox=OFF, **a_judge(endpoint.url)) as service:
                (record,) = await recorded(service, raw_item("It is 5.", "right.v1"))
                same = await replayed(service, record, Comparison(live=True))
                endpoint.script = lambda asked: asked.object(right=False, brief=False)
                other = await replayed(service, record, Comparison(live=True))
                assert service.reader is not None
                unchanged = service.reader.record(record["id"]) == record
                (again,) = await recorded(service, raw_item("It is 5.", "right.v1"))
                return same, other, unchanged and again["reward"] == 1.0

        same, other, unchanged = asyncio.run(run())
        assert len(endpoint.requests) == 3, "what is remembered does not speak for the judge of today, and stays"
    assert (same.result, same.components[0].promise) == (Result.EQUAL, Promise.LIVE)
    assert (other.result, other.old_reward, other.reward) == (Result.DIFFERENT, 1.0, 0.0)
    assert unchanged


def test_a_judge_that_nobody_reaches_is_no_difference(odd_service):
    def script(_: Asked) -> Any:
        return (500, {}, "out of order")

    with judge_endpoint(lambda asked: asked.object(right=True, brief=True)) as endpoint:

        async def run() -> Replay:
            async with odd_service(sandbox=OFF, **a_judge(endpoint.url)) as service:
                (record,) = await recorded(service, raw_item("It is 5.", "right.v1"))
            endpoint.greeting = endpoint.script = script
            async with odd_service(sandbox=OFF, **a_judge("http://127.0.0.1:9/v1")) as service:
                return await replayed(service, record, Comparison(live=True))

        replay = asyncio.run(run())
    assert (replay.result, replay.reward) == (Result.COULD_NOT, None)


def test_a_question_that_nobody_answered_then_has_no_answer_now(odd_service):
    with judge_endpoint(lambda asked: asked.object(right=True, brief=True)) as endpoint:

        def forget(record: dict[str, Any]) -> None:
            record["instrument"][0]["models"]["exchanges"].clear()

        sections = a_judge(endpoint.url)
        replay = replay_of(odd_service, raw_item("It is 5.", "right.v1"), forget, **sections)
    assert (replay.result, replay.why) == (Result.NOT_REPLAYABLE, Why.NO_REPLIES)


def test_a_program_is_run_again_and_its_surroundings_are_compared(odd_service):
    async def run() -> Replay:
        async with odd_service(plugins={"load": ["assay"], "modules": ["odd_rewarders"]}) as service:
            item = raw_item("```python\nprint(int(input()) * 2)\n```", "code.v1", DOUBLED)
            (record,) = await recorded(service, item)
            for used in record["instrument"][0]["sandbox"]["instruments"]:
                used["policy_digest"] = "sha256:of-another-policy"
            return await replayed(service, record)

    replay = asyncio.run(run())
    (part,) = replay.components
    assert (replay.result, part.promise) == (Result.EQUAL, Promise.BOUNDED), part
    then, now = part.environment["sandbox"]
    assert then[0]["policy_digest"] == "sha256:of-another-policy" != now[0]["policy_digest"]


def test_a_worker_with_other_memory_is_named_beside_the_verdict(odd_service):
    """A completion that needs more than a worker has scores 0, so what it has is on the record."""

    def of_a_larger_worker(record: dict[str, Any]) -> None:
        record["instrument"][0]["memory_bytes"] += 1

    replay = replay_of(odd_service, raw_item("four"), of_a_larger_worker)
    (part,) = replay.components
    then, now = part.environment["memory_bytes"]
    assert (replay.result, then) == (Result.EQUAL, now + 1)
