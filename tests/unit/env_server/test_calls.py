"""The engine with async rewarders: every odd one, and what becomes of it. None of these needs a sandbox."""

import asyncio
import threading
from dataclasses import replace

import odd_async_rewarders as odd
import pytest
from raw_items import raw_item

from env_server.calling import Call
from env_server.schemas import ScoreResponse
from env_server.terms import Priority
from env_server.worker_process import Reply
from rewarders.errors import Overloaded


@pytest.fixture(autouse=True)
def _nothing_seen_yet():
    odd.SEEN.clear()
    odd.UNDER_WAY[:] = [0]
    odd.LEAKED.clear()
    odd.RELEASED.clear()


@pytest.fixture
def waiting_service(odd_service):
    """A service with the async rewarders, no sandbox, and whatever else is asked for."""

    def opened(**sections):
        plugins = {"modules": ["odd_rewarders", "odd_async_rewarders"]}
        return odd_service(plugins=plugins, sandbox={"backend": "off"}, **sections)

    return opened


def score_all(opened, *items, **sections) -> ScoreResponse:
    async def run() -> bytes:
        async with opened(**sections) as service:
            return await service.engine.score(items)

    return ScoreResponse.model_validate_json(asyncio.run(run()))


def wait_item(text: str):
    return raw_item(text, "waits.v1")


def test_an_async_rewarder_gives_its_verdict(waiting_service):
    (item,) = score_all(waiting_service, wait_item("nothing known")).items
    assert (item.reward, item.components[0].rewarder) == (1.0, "odd.waits")


@pytest.mark.parametrize(
    ("says", "kind", "message", "attempt"),
    [
        ("raise", "RewarderFault", "odd.waits raised ValueError at odd_async_rewarders.py:", 1),
        ("none", "RewarderFault", "odd.waits returned NoneType instead of a Verdict", 1),
        ("exit", "RewarderFault", "odd.waits raised SystemExit", 1),
        ("cancel", "RewarderFault", "odd.waits was cancelled from within", 1),
        ("misconfigured", "SandboxFault", "odd.waits: no such layer", 1),
        ("lost", "SandboxFault", "odd.waits: it vanished", 3),
        ("fault", "RewarderFault", "as told", 3),
        ("sleep 60", "RewarderFault", "odd.waits did not answer within 0.5 s", 1),
        ("stubborn", "RewarderFault", "odd.waits did not answer within 0.5 s", 1),
    ],
)
def test_what_an_async_rewarder_does_wrong_is_a_fault(waiting_service, monkeypatch, says, kind, message, attempt):
    monkeypatch.setattr("env_server.calling._UNWINDING_S", 0.2)
    calls = {"timeout_s": 0.5} if says in ("sleep 60", "stubborn") else {}
    bad, good = score_all(waiting_service, wait_item(says), wait_item("fine"), calls=calls).items
    assert (bad.reward, good.reward) == (None, 1.0)
    assert bad.fault is not None
    assert (bad.fault.kind, bad.fault.attempt) == (kind, attempt)
    assert bad.fault.message.startswith(message)


def test_a_completion_that_leads_too_deep_scores_zero(waiting_service):
    (item,) = score_all(waiting_service, wait_item("recurse")).items
    verdict = item.components[0].verdict
    assert (item.reward, verdict and verdict.reason) == (0.0, "too_costly")


def test_a_sandbox_that_is_there_at_the_third_attempt_costs_nothing(waiting_service):
    (item,) = score_all(waiting_service, wait_item("unavailable 2")).items
    assert (item.reward, odd.SEEN["unavailable 2"]) == (1.0, 3)


def test_what_another_attempt_would_not_mend_is_not_attempted_again(waiting_service):
    score_all(waiting_service, wait_item("raise"), wait_item("misconfigured"))
    assert (odd.SEEN["raise"], odd.SEEN["misconfigured"]) == (1, 1)


def test_pure_and_async_rewarders_are_answered_in_the_order_of_the_items(waiting_service):
    texts = ["x" * n for n in range(1, 21)]
    items = [item for text in texts for item in (raw_item(text), raw_item(text, "both.v1"), wait_item("sleep 0.01"))]
    answers = score_all(waiting_service, *items).items
    assert [answer.reward for answer in answers[::3]] == [n / 100 for n in range(1, 21)]
    assert [answer.reward for answer in answers[1::3]] == [(1 + n / 100) / 2 for n in range(1, 21)]
    assert [answer.reward for answer in answers[2::3]] == [1.0] * 20


def test_no_more_calls_are_under_way_than_allowed_and_every_one_is_answered(waiting_service):
    items = [wait_item(f"sleep 0.0{n % 3}") for n in range(200)]
    answers = score_all(waiting_service, *items, calls={"at_once": 7}).items
    assert [answer.reward for answer in answers] == [1.0] * 200
    assert max(odd.UNDER_WAY) == 7


def test_the_deadline_of_a_call_does_not_count_time_in_the_queue(waiting_service):
    answers = score_all(waiting_service, *[wait_item("sleep 0.3")] * 6, calls={"at_once": 1, "timeout_s": 1.0}).items
    assert [answer.reward for answer in answers] == [1.0] * 6
    assert all(0.3 <= answer.components[0].wall_s < 1.0 for answer in answers)


def test_too_many_calls_are_refused_whole_and_no_job_is_begun(waiting_service):
    items = [raw_item("x", "both.v1")] * 11
    with pytest.raises(Overloaded, match="11 more would be too many"):
        score_all(waiting_service, *items, calls={"max_waiting": 10}, server={"max_completions_per_request": 5})
    assert odd.SEEN.total() == 0


def test_someone_in_a_hurry_passes_those_in_the_background_whatever_another_rewarder_does(waiting_service):
    async def run() -> int:
        async with waiting_service(calls={"at_once": 2}) as service:
            pool, odd_waits = service.engine.calls, service.registry.get("odd.waits")

            def begin(text: str, priority: Priority, name: str = "odd.waits") -> list[asyncio.Future[Reply]]:
                spec = replace(odd_waits, name=name)
                return pool.submit([Call(spec, {"text": text, "finish_reason": "stop"}, None, {})], priority)

            behind = [one for n in range(300) for one in begin(f"sleep 0.00{n % 9 + 1}", Priority.BACKGROUND)]
            for n in range(100):  # one after another: it is idle, and busy, and idle
                await begin(f"other {n}", Priority.BACKGROUND, name="odd.tests")[0]
            before = sum(one.done() for one in behind)
            await begin("hurry", Priority.INTERACTIVE)[0]
            return sum(one.done() for one in behind) - before

    assert asyncio.run(run()) < 30


def test_a_rewarder_that_blocks_its_event_loop_stalls_neither_the_pure_ones_nor_the_service(waiting_service):
    async def run() -> tuple[bytes, bytes]:
        async with waiting_service() as service:
            blocked = asyncio.create_task(service.engine.score([wait_item("block")]))
            while not odd.SEEN["block"]:
                await asyncio.sleep(0.01)
            meanwhile = await service.engine.score([raw_item("x")])
            assert not blocked.done()
            odd.RELEASED.set()
            return meanwhile, await blocked

    meanwhile, afterwards = (ScoreResponse.model_validate_json(answer) for answer in asyncio.run(run()))
    assert (meanwhile.items[0].reward, afterwards.items[0].reward) == (0.01, 1.0)


def test_a_blocked_event_loop_is_given_up_with_faults_and_taken_back_when_it_turns(waiting_service):
    async def run() -> tuple[bytes, str | None, bytes]:
        async with waiting_service() as service:
            service.engine.calls._patience_s = 0.8
            given_up = await service.engine.score([wait_item("block"), wait_item("fine")])
            trouble = service.trouble
            odd.RELEASED.set()
            while service.trouble:
                await asyncio.sleep(0.05)
            return given_up, trouble, await service.engine.score([wait_item("fine")])

    given_up, trouble, again = asyncio.run(run())
    faults = [item.fault and item.fault.message for item in ScoreResponse.model_validate_json(given_up).items]
    assert trouble is not None
    assert trouble.startswith("an async rewarder has blocked its event loop, at odd_async_rewarders.py:")
    assert faults == [trouble, trouble]
    assert ScoreResponse.model_validate_json(again).items[0].reward == 1.0


def test_at_shutdown_everything_that_waits_is_answered_with_a_fault(waiting_service):
    async def run() -> bytes:
        async with waiting_service(calls={"at_once": 2}) as service:
            scoring = asyncio.create_task(service.engine.score([wait_item("sleep 60")] * 10))
            while odd.SEEN["sleep 60"] < 2:
                await asyncio.sleep(0.01)
            closing = asyncio.create_task(service.engine.calls.close())
            answer = await scoring
            await closing
            return answer

    items = ScoreResponse.model_validate_json(asyncio.run(run())).items
    assert {item.fault and item.fault.message for item in items} == {"the service was shut down first"}
    assert odd.SEEN["sleep 60"] == 2


def test_a_leaked_task_ends_with_the_service_and_no_thread_is_left(waiting_service):
    (item,) = score_all(waiting_service, wait_item("leak")).items
    (task,) = odd.LEAKED
    assert item.reward == 1.0
    assert task.cancelled()
    assert "calls" not in [thread.name for thread in threading.enumerate()]


def test_a_request_that_went_away_leaves_the_service_as_it_was(waiting_service):
    async def run() -> bytes:
        async with waiting_service(calls={"at_once": 1}) as service:
            gone = asyncio.create_task(service.engine.score([wait_item("sleep 0.2")] * 3))
            while not odd.SEEN["sleep 0.2"]:
                await asyncio.sleep(0.01)
            gone.cancel()
            return await service.engine.score([wait_item("fine")])

    (item,) = ScoreResponse.model_validate_json(asyncio.run(run())).items
    assert item.reward == 1.0


def test_without_a_sandbox_a_task_that_needs_one_is_told_which_setting_is_off(waiting_service):
    (item,) = score_all(waiting_service, raw_item("x", "runs.v1", {})).items
    assert item.fault is not None
    assert (item.fault.kind, item.fault.retryable) == ("SandboxFault", False)
    assert "[sandbox] backend is 'off'" in item.fault.message


def test_a_blocked_event_loop_does_not_keep_the_service_from_closing(waiting_service, monkeypatch):
    monkeypatch.setattr("env_server.calls._CLOSING_S", 0.3)
    monkeypatch.setattr("env_server.calls._JOIN_S", 0.3)

    async def run() -> bytes:
        async with waiting_service() as service:
            scoring = asyncio.create_task(service.engine.score([wait_item("block")]))
            while not odd.SEEN["block"]:
                await asyncio.sleep(0.01)
            await service.engine.calls.close()
            return await scoring

    (item,) = ScoreResponse.model_validate_json(asyncio.run(run())).items
    assert item.fault is not None
    odd.RELEASED.set()
    for thread in threading.enumerate():
        if thread.name == "calls":
            thread.join()
