"""What a judge may cost, and what it is paid for."""

import asyncio
import threading

import pytest
from judge_endpoint import Asked, judge_endpoint
from judge_scripts import PARAMS, says, slow_about, status
from judge_service import a_call, answered, judge_config, models


def spend(endpoint, tmp_path, *texts, **settings):
    """Ask about all texts at once, in a process of their own; what each comes to, and the tokens used for good."""

    async def run():
        async with models({"default": judge_config(endpoint.url, **settings)}, data_dir=tmp_path) as keeper:
            replies = await asyncio.gather(*(answered(keeper, a_call("judge.criteria", t, PARAMS)) for t in texts))
            return replies, keeper.judge("default").purse.used[0]

    return asyncio.run(run())


def test_a_prompt_of_many_tokens_never_takes_a_budget_over(tmp_path):
    """One character may be four tokens, and is what a text that wants to cost much is made of."""

    def script(asked: Asked):
        document = endpoint.document(asked.object(right=True))
        tokens = len(asked.body["messages"][1]["content"].encode()) + len(asked.body["messages"][0]["content"])
        return {**document, "usage": {"prompt_tokens": tokens, "completion_tokens": 1024}}

    with judge_endpoint(script) as endpoint:
        texts = ["".join(map(chr, range(0x20000 + i, 0x20000 + i + 2000))) for i in range(12)]
        replies, used = spend(endpoint, tmp_path, *texts, budget_tokens=60_000)
    really = sum(sum(e["tokens"].values()) for reply in replies if reply.models for e in reply.models["exchanges"])
    assert really == used <= 60_000
    assert {reply.fault and reply.fault.kind for reply in replies} == {None, "JudgeFault"}


def test_tries_that_nobody_heard_of_again_are_paid_for(tmp_path):
    release = threading.Event()
    with judge_endpoint(slow_about("slow", release)) as endpoint:
        (reply,), used = spend(endpoint, tmp_path, "slow words", timeout_s=0.4)
        assert reply.verdict.reason == "judge_derailed"
        lost = [one["tokens"]["reply"] for one in reply.models["exchanges"] if one["problem"] == "unanswered"]
        assert lost == [1024] * 3
        assert used >= 3 * 1024
        (broke,), _ = spend(endpoint, tmp_path, "slow again", timeout_s=0.4, budget_tokens=used + 3000)
        release.set()
    assert "budget_tokens" in broke.fault.message


def test_what_was_under_way_when_a_process_ended_stays_paid(tmp_path):
    release = threading.Event()

    async def run(url: str):
        async with models({"default": judge_config(url)}, data_dir=tmp_path) as keeper:
            asking = asyncio.create_task(answered(keeper, a_call("judge.criteria", "slow", PARAMS)))
            while not endpoint.requests:
                await asyncio.sleep(0.01)
            held = keeper.judge("default").purse.used[0]
            asking.cancel()
        return held

    with judge_endpoint(slow_about("slow", release)) as endpoint:
        held = asyncio.run(run(endpoint.url))
        release.set()
        _, used = spend(endpoint, tmp_path)
    assert used == held > 1024


@pytest.mark.parametrize("code", [503, 401, 403, 400])
def test_an_endpoint_that_never_worked_costs_nothing(tmp_path, code: int):
    with judge_endpoint(status(code, {"retry-after": "0"})) as endpoint:
        endpoint.greeting = status(code)
        _, used = spend(endpoint, tmp_path, "fine words", tries=2)
    assert (len(endpoint.requests) >= 1, used) == (True, 0)


def test_an_endpoint_that_does_not_count_is_paid_all_that_it_may_have_taken(tmp_path):
    with judge_endpoint(lambda asked: {**endpoint.document(asked.object(right=True)), "usage": None}) as endpoint:
        (reply,), used = spend(endpoint, tmp_path, "fine words")
    (exchange,) = reply.models["exchanges"]
    assert used == sum(exchange["tokens"].values()) >= 1024 + 1000


@pytest.mark.parametrize(
    "settings", [{"budget_tokens": 5000}, {"budget_money": 0.005, "input_price": 1.0, "output_price": 1.0}]
)
def test_a_budget_is_never_overdrawn_and_outlives_a_restart(tmp_path, settings):
    def ask(endpoint, *texts):
        async def run():
            async with models({"default": judge_config(endpoint.url, **settings)}, data_dir=tmp_path) as keeper:
                return await asyncio.gather(*(answered(keeper, a_call("judge.criteria", t, PARAMS)) for t in texts))

        return asyncio.run(run())

    with judge_endpoint(says(right=True)) as endpoint:
        one, two = ask(endpoint, "fine words", "other words")
        assert (one.fault, len(endpoint.requests)) == (None, 1)
        assert two.fault is not None
        assert (two.fault.kind, two.fault.retryable) == ("JudgeFault", False)
        assert "judges.default.budget_" in two.fault.message
        for number in range(30):
            (last,) = ask(endpoint, f"and {number}")
    assert len(endpoint.requests) < 30
    assert "budget" in last.fault.message
