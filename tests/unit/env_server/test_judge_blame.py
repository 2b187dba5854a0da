"""Whose doing it is that nothing readable came back: the text's, or the endpoint's."""

import asyncio
import threading

import pytest
from judge_endpoint import Asked, judge_endpoint
from judge_scripts import PARAMS, in_turn, judge_right, says, slow_about, status
from judge_service import a_call, answered, judge_config

from env_server.judges.calibrations import Calibrations
from env_server.judges.endpoint import MAX_REPLY_BYTES, Endpoint, Unanswered
from env_server.judges.judge import ConfiguredJudge
from env_server.judges.keeper import ModelKeeper
from env_server.judges.memory import Memory
from rewarders.errors import JudgeFault


@pytest.mark.parametrize("code", [408, 429, 502, 503, 504])
def test_an_overloaded_endpoint_is_asked_the_same_again(code: int):
    with judge_endpoint(in_turn(status(code, {"retry-after": "0"}), says(right=True))) as endpoint:
        (reply,) = judge_right(endpoint, "fine words")
    assert reply.verdict is not None
    first, again = (Asked(request).sections for request in endpoint.requests)
    assert first == again
    assert len(endpoint.greetings) == (code in (408, 502, 504)), "whether it is lost or only busy"


@pytest.mark.parametrize("code", [429, 503, 524, 530, 406, 431, 451])
def test_a_text_that_alone_is_turned_away_scores_zero_and_costs_others_nothing(code: int):
    def script(asked: Asked):
        if "poison" in asked.sections["ANSWER"]:
            return code, {"retry-after": "0"}, {}
        return asked.object(right=True)

    with judge_endpoint(script) as endpoint:
        texts = [*(f"poison {i}" for i in range(3)), "fine words"]
        replies = judge_right(endpoint, *texts, tries=1, breaker_failures=1)
    assert [reply.verdict and reply.verdict.reason for reply in replies] == ["judge_derailed"] * 3 + ["met"]


@pytest.mark.parametrize("code", [429, 503])
def test_a_text_that_alone_is_too_much_behind_a_pause_does_not_prolong_it(code: int):
    now = [0.0]

    async def nap(seconds: float) -> None:
        now[0] += seconds

    def script(asked: Asked):
        return (code, {}, {}) if "poison" in asked.sections["ANSWER"] else asked.object(right=True)

    async def run(url: str):
        config = judge_config(url, tries=3, breaker_failures=1, breaker_pause_s=30)
        wire = Endpoint("judge default", config, JudgeFault, clock=lambda: now[0], pause=nap)
        keeper = ModelKeeper(
            {"default": ConfiguredJudge("default", config, Memory(None), wire)}, {}, Calibrations({}, required=False)
        )
        wire._breaker.failed()
        now[0] += 31
        try:
            return [await answered(keeper, a_call("judge.criteria", text, PARAMS)) for text in ("poison", "fine")]
        finally:
            await keeper.close()

    with judge_endpoint(script) as endpoint:
        replies = asyncio.run(run(endpoint.url))
    assert [reply.verdict and reply.verdict.reason for reply in replies] == ["judge_derailed", "met"]


@pytest.mark.parametrize("code", [400, 403, 500])
def test_an_endpoint_that_refuses_whatever_it_is_asked_is_a_fault_that_says_how(code: int):
    with judge_endpoint(status(code)) as endpoint:
        (reply,) = judge_right(endpoint, "fine words")
    assert (reply.verdict, reply.fault.kind) == (None, "JudgeFault")
    assert f"refused ({code})" in reply.fault.message


def test_an_endpoint_that_never_answers_is_given_up():
    release = threading.Event()

    def script(asked: Asked) -> str:
        release.wait(30)
        return ""

    with judge_endpoint(script) as endpoint:
        (reply,) = judge_right(endpoint, "fine words", timeout_s=0.05, tries=1, breaker_failures=1)
        release.set()
    assert reply.fault is not None
    assert reply.fault.kind == "JudgeFault"


def test_a_text_that_the_judge_is_too_slow_about_scores_zero_and_costs_others_nothing():
    release = threading.Event()
    with judge_endpoint(slow_about("slow", release)) as endpoint:
        texts = [*(f"slow {i}" for i in range(2)), "fine words"]
        replies = judge_right(endpoint, *texts, timeout_s=0.4, breaker_failures=2, tries=2)
        release.set()
    assert [reply.verdict and reply.verdict.reason for reply in replies] == ["judge_derailed"] * 2 + ["met"]
    assert "unanswered" in {one["problem"] for one in replies[0].models["exchanges"]}


@pytest.mark.parametrize("ending", ["breaks", 408, 502, 504])
def test_a_text_that_the_connection_breaks_on_scores_zero(ending):
    def script(asked: Asked):
        if "break" not in asked.sections["ANSWER"]:
            return asked.object(right=True)
        if ending == "breaks":
            raise ConnectionAbortedError
        return ending, {}, {}

    with judge_endpoint(script) as endpoint:
        replies = judge_right(endpoint, "break it", "fine words", breaker_failures=2)
    assert [reply.verdict and reply.verdict.reason for reply in replies] == ["judge_derailed", "met"]


def test_an_answer_that_is_too_long_to_be_taken_is_the_texts_doing():
    def script(asked: Asked):
        if "ramble" in asked.sections["ANSWER"]:
            return 200, {}, b" " * (MAX_REPLY_BYTES + 1)
        return asked.object(right=True)

    with judge_endpoint(script) as endpoint:
        (reply,) = judge_right(endpoint, "ramble on")
    assert (reply.verdict.score, reply.verdict.reason) == (0.0, "judge_derailed")


@pytest.mark.parametrize("said", [{"choices": []}, {"error": "no"}, (200, {}, b"<html>blocked</html>")])
def test_a_text_that_is_answered_without_a_message_scores_zero(said):
    """As some endpoints, and what stands before them, answer what they filter."""

    def script(asked: Asked):
        return said if "filtered" in asked.sections["ANSWER"] else asked.object(right=True)

    with judge_endpoint(script) as endpoint:
        replies = judge_right(endpoint, "to be filtered", "fine words")
    assert [reply.verdict and reply.verdict.reason for reply in replies] == ["judge_derailed", "met"]


def test_an_endpoint_that_is_slow_even_to_greet_is_a_fault_and_then_left_alone():
    release = threading.Event()

    def hang(asked: Asked) -> str:
        release.wait(30)
        return ""

    with judge_endpoint(hang) as endpoint:
        endpoint.greeting = hang
        settings = {"timeout_s": 0.4, "tries": 3, "breaker_failures": 3, "deadline_s": 60}
        one, two = judge_right(endpoint, "fine words", "other words", **settings)
        release.set()
    assert [reply.fault.kind for reply in (one, two)] == ["JudgeFault", "JudgeFault"]
    assert "left alone" in two.fault.message
    assert (len(endpoint.requests), len(endpoint.greetings)) == (1, 3)


def test_slow_texts_do_not_keep_everybody_waiting_for_an_endpoint_that_has_recovered():
    now, release = [0.0], threading.Event()

    async def run(url: str):
        config = judge_config(url, tries=1, timeout_s=0.4, breaker_failures=1, breaker_pause_s=30)
        wire = Endpoint("judge default", config, JudgeFault, clock=lambda: now[0])
        judge = ConfiguredJudge("default", config, Memory(None), wire)
        keeper = ModelKeeper({"default": judge}, {}, Calibrations({}, required=False))
        try:
            down = await answered(keeper, a_call("judge.criteria", "down", PARAMS))
            now[0] += 31
            return down, [await answered(keeper, a_call("judge.criteria", t, PARAMS)) for t in ("slow", "fine words")]
        finally:
            await keeper.close()

    def script(asked: Asked):
        if "down" in asked.sections["ANSWER"]:
            return 503, {}, {}
        return slow_about("slow", release)(asked)

    with judge_endpoint(script) as endpoint:
        endpoint.greeting = in_turn(status(503), lambda asked: "Hello.")
        down, behind = asyncio.run(run(endpoint.url))
        release.set()
    assert down.fault.retryable
    assert [reply.verdict and reply.verdict.reason for reply in behind] == ["judge_derailed", "met"]


def test_no_try_begins_that_could_end_behind_the_deadline():
    now = [0.0]

    async def pause(seconds: float) -> None:
        now[0] += seconds

    async def run(url: str):
        config = judge_config(url, tries=10, timeout_s=1, deadline_s=5, breaker_failures=99)
        endpoint = Endpoint("judge x", config, JudgeFault, pause=pause, clock=lambda: now[0])
        try:
            await endpoint.post(f"{url}/chat/completions", {})
        finally:
            await endpoint.close()

    with judge_endpoint(status(503)) as endpoint, pytest.raises(Unanswered, match=r"answered 503, \d times"):
        asyncio.run(run(endpoint.url))
    assert 2 <= len(endpoint.requests) <= 4
    assert now[0] <= 4


def identities(replies) -> set[str]:
    return {one["identity"] for reply in replies for one in reply.models["exchanges"]}


@pytest.mark.parametrize("refusal", [(400, {}, {}), (504, {}, {})])
def test_a_judge_that_first_refuses_is_the_judge_that_answers_later(refusal):
    def script(asked: Asked):
        return refusal if "poison" in asked.sections["ANSWER"] else asked.object(right=True)

    with judge_endpoint(script) as endpoint:
        replies = judge_right(endpoint, "poison", "fine words")
        assert [reply.verdict.score for reply in replies] == [0.0, 1.0]
        assert len(identities(replies)) == 1
        assert {one["reported"]["model"] for reply in replies for one in reply.models["exchanges"]} == {"scripted-1"}
