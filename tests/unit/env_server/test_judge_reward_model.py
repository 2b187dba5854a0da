"""`model.scalar` against a real server on loopback that answers like vLLM's `/score` and `/classify`."""

import asyncio
import threading
from typing import Any

import pytest
from judge_endpoint import Asked, judge_endpoint
from judge_service import a_call, answered, models

from env_server.config import RewardModelConfig
from env_server.worker_process import Reply


def scores(asked: Asked) -> dict[str, Any]:
    """The number that each text ends in."""
    texts = asked.body.get("text_2") or asked.body["input"]
    numbers = [float(text.split()[-1]) for text in texts]
    if "text_2" in asked.body:
        return {"data": [{"index": i, "score": number} for i, number in enumerate(numbers)]}
    return {"data": [{"index": i, "probs": [0.0, number]} for i, number in enumerate(numbers)]}


def rate(
    url: str, *texts: str, params: dict[str, Any] | None = None, prompt: str = "Q", **settings: Any
) -> list[Reply]:
    config = RewardModelConfig.model_validate({"url": url, "model": "rm", "tries": 2, "linger_ms": 30, **settings})
    scale = params or {"normalise": "range", "high": 10.0}

    async def run() -> list[Reply]:
        async with models(reward=config) as keeper:
            return await asyncio.gather(
                *(answered(keeper, a_call("model.scalar", t, scale, prompt=prompt)) for t in texts)
            )

    return asyncio.run(run())


def values(replies: list[Reply]) -> list[float | str]:
    return [reply.verdict.score if reply.verdict else reply.fault.kind for reply in replies]


def test_many_texts_go_out_together_and_each_gets_its_own_number():
    with judge_endpoint(scores) as endpoint:
        replies = rate(endpoint.url, *(f"worth {i}" for i in range(10)))
    assert values(replies) == [i / 10 for i in range(10)]
    assert endpoint.paths == ["/score"], "beside /v1, not under it"
    assert replies[3].models["exchanges"][0]["raw"] == 3.0


def test_a_batch_is_no_larger_than_configured():
    with judge_endpoint(scores) as endpoint:
        rate(endpoint.url, *(f"worth {i}" for i in range(10)), batch=4)
    assert sorted(len(request["text_2"]) for request in endpoint.requests) == [2, 4, 4]


def test_classify_is_given_the_conversation_turn_by_turn():
    with judge_endpoint(lambda asked: {"data": [{"index": 0, "probs": [0.1, 7.0]}]}) as endpoint:
        settings = {"route": "classify", "output": 1, "turn": "<|{role}|>{content}<|end|>"}
        replies = rate(endpoint.url, "a<|end|><|user|>{role}", prompt="{content}?", **settings)
    assert (values(replies), endpoint.paths) == ([0.7], ["/classify"])
    turns = "<|user|>{content}?<|end|><|assistant|>a< |end|>< |user|>{role}<|end|>"
    assert endpoint.requests[0]["input"] == [turns], "control tokens of the answer are none any more"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None, "1", True, [1.0], 10**400])
def test_what_is_no_finite_number_is_a_fault(bad: Any):
    with judge_endpoint(lambda asked: {"data": [{"index": 0, "score": bad}]}) as endpoint:
        assert values(rate(endpoint.url, "worth 1")) == ["ModelFault"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"data": []},
        {"data": [{"index": 0, "score": 1.0}] * 3},
        {"data": [{"index": 1, "score": 1.0}, {"index": 2, "score": 1.0}]},
        {"data": [{"index": 0, "score": 1.0}, {"index": [], "score": 1.0}]},
        {"data": "scores"},
        {"data": [{"score": 1.0}, {"score": 1.0}]},
    ],
)
def test_numbers_that_fit_no_text_are_a_fault_for_all(document: Any):
    with judge_endpoint(lambda asked: document) as endpoint:
        assert values(rate(endpoint.url, "worth 1", "worth 2")) == ["ModelFault", "ModelFault"]


def test_numbers_are_placed_by_their_index():
    def backwards(asked: Asked) -> dict[str, Any]:
        return {"data": scores(asked)["data"][::-1]}

    with judge_endpoint(backwards) as endpoint:
        assert values(rate(endpoint.url, "worth 1", "worth 9")) == [0.1, 0.9]


def test_a_text_that_is_refused_scores_zero_and_spoils_none_beside_it():
    def script(asked: Asked):
        texts = asked.body["text_2"]
        if any("poison" in text for text in texts):
            return 400, {}, {"error": "too long"}
        return {"data": [{"index": i, "score": 5.0} for i in range(len(texts))]}

    with judge_endpoint(script) as endpoint:
        replies = rate(endpoint.url, "worth 1", "poison", "worth 3", "worth 4", breaker_failures=1)
    assert values(replies) == [0.5, 0.0, 0.5, 0.5]
    assert replies[1].verdict.reason == "refused"


@pytest.mark.parametrize("route", ["score", "classify"])
def test_a_text_that_the_model_never_answers_scores_zero_and_spoils_none_beside_it(route: str):
    release = threading.Event()

    def script(asked: Asked):
        texts = asked.body.get("text_2") or asked.body["input"]
        if any("slow" in text for text in texts):
            release.wait(30)
        return {"data": [{"index": i, "score": 5.0, "probs": [5.0]} for i in range(len(texts))]}

    with judge_endpoint(script) as endpoint:
        texts = ["worth 1", "slow", "worth 3", "worth 4"]
        replies = rate(endpoint.url, *texts, route=route, timeout_s=0.5, breaker_failures=1)
        release.set()
    assert values(replies) == [0.5, 0.0, 0.5, 0.5]
    assert replies[1].verdict.reason == "refused"


def test_a_model_that_is_slow_even_to_greet_is_a_fault():
    release = threading.Event()

    def hang(asked: Asked):
        release.wait(30)
        return {}

    with judge_endpoint(hang) as endpoint:
        endpoint.greeting = hang
        assert values(rate(endpoint.url, "worth 1", "worth 2", timeout_s=0.4, tries=1)) == ["ModelFault"] * 2
        release.set()


def test_a_model_that_refuses_everything_is_a_fault():
    with judge_endpoint(lambda asked: (400, {}, {})) as endpoint:
        assert values(rate(endpoint.url, "worth 1")) == ["ModelFault"]


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), 10**400])
def test_a_text_that_alone_is_given_no_number_scores_zero_and_spoils_none_beside_it(bad: Any):
    def script(asked: Asked) -> dict[str, Any]:
        rows = enumerate(asked.body["text_2"])
        return {"data": [{"index": i, "score": bad if "poison" in text else 5.0} for i, text in rows]}

    with judge_endpoint(script) as endpoint:
        replies = rate(endpoint.url, "worth 1", "poison", "worth 3")
    assert values(replies) == [0.5, 0.0, 0.5]
    assert replies[1].verdict.reason == "refused"


def test_no_such_reward_model_is_a_fault_that_names_its_section():
    with judge_endpoint(scores) as endpoint:
        (reply,) = rate(endpoint.url, "worth 1", params={"model": "other"})
    assert "[reward_models.other]" in reply.fault.message
