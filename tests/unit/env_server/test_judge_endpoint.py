"""The adapter against a real server on loopback: retries, breaker, pacing, budget, cache, identity, record, replay."""

import asyncio
import json
import threading
import time
from dataclasses import replace

import pytest
from judge_endpoint import Asked, judge_endpoint
from judge_scripts import PARAMS, in_turn, judge_right, says, status
from judge_service import a_call, answered, judge_config, judged, models

from env_server.judges.memory import Memory
from env_server.judges.pacing import Breaker, Pacer
from env_server.judges.recorded import RecordedModels
from rewarders.errors import JudgeFault


def test_a_request_is_what_the_endpoints_document():
    with judge_endpoint(says(right=True)) as endpoint:
        (reply,) = judge_right(endpoint, "fine words", extra={"chat_template_kwargs": {"enable_thinking": False}})
    (request,) = endpoint.requests
    assert endpoint.paths == ["/v1/chat/completions"]
    assert reply.verdict is not None
    assert reply.verdict.score == 1.0
    assert (request["model"], request["temperature"], request["max_tokens"], request["seed"]) == ("m", 0.0, 1024, 0)
    assert request["chat_template_kwargs"] == {"enable_thinking": False}
    assert request["response_format"]["json_schema"]["strict"] is True
    assert list(Asked(request).schema["properties"]) == ["reasoning", "right", "nonce"]
    assert "logprobs" not in request


def test_log_probabilities_are_asked_for_used_and_recorded():
    with judge_endpoint(says()) as endpoint:

        def script(asked: Asked):
            text = asked.object(reasoning="é", right=True)
            begin = text.encode().index(b"true")
            spans = [text.encode()[:begin], b"true", text.encode()[begin + 4 :]]
            tops = [[{"token": "true", "logprob": -0.2231}, {"token": "false", "logprob": -1.6094}]]
            tokens = [
                {"token": "?", "logprob": 0.0, "bytes": list(span), "top_logprobs": tops[0] if span == b"true" else []}
                for span in spans
            ]
            return endpoint.document(text, logprobs={"content": tokens})

        endpoint.script = script
        config = judge_config(endpoint.url, top_logprobs=5)
        (reply,) = judged(config, "judge.criteria", "fine words", params={**PARAMS, "by": "probability"})
    assert endpoint.requests[0]["top_logprobs"] == 5
    assert reply.verdict is not None
    assert reply.verdict.score == pytest.approx(0.8, abs=1e-3)
    assert reply.models["exchanges"][0]["logprobs"][1]["top"][0] == ["true", -0.2231]


@pytest.mark.parametrize("code", [301, 401, 404])
def test_a_wrong_address_or_key_is_a_fault_at_once(code: int):
    with judge_endpoint(status(code, {"location": "http://example.invalid/"})) as endpoint:
        (reply,) = judge_right(endpoint, "fine words")
    assert reply.fault is not None
    assert (reply.fault.kind, reply.fault.retryable, len(endpoint.requests)) == ("JudgeFault", False, 1)
    assert f"answered {code}" in reply.fault.message


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[1]", b"{}", b'{"choices": []}', b'{"choices": [{"message": 1}]}']
)
def test_what_speaks_another_protocol_is_a_fault(content: bytes):
    with judge_endpoint(lambda asked: (200, {}, content)) as endpoint:
        (reply,) = judge_right(endpoint, "fine words")
    assert reply.fault is not None
    assert (reply.fault.kind, reply.fault.retryable) == ("JudgeFault", False)
    assert "no chat completion" in reply.fault.message


def test_nobody_there_is_a_fault_that_may_be_tried_again():
    (reply,) = judged(judge_config("http://127.0.0.1:9/v1", tries=1), "judge.criteria", "fine words", params=PARAMS)
    assert reply.fault is not None
    assert (reply.fault.kind, reply.fault.retryable) == ("JudgeFault", True)


def test_the_same_question_is_answered_from_memory():
    with judge_endpoint(says(right=True)) as endpoint:
        first, again, other = judge_right(endpoint, "fine words", "fine words", "other words")
    assert len(endpoint.requests) == 2
    (one,), (two,), (three,) = (reply.models["exchanges"] for reply in (first, again, other))
    assert (one["cached"], two["cached"], three["cached"]) == (False, True, False)
    assert {**one, "cached": True, "problem": ""} == {**two, "problem": ""}


def test_an_unreadable_reply_is_never_remembered():
    with judge_endpoint(in_turn(lambda asked: "no", says(right=True))) as endpoint:
        judge_right(endpoint, "fine words", "fine words")
    assert [Asked(request).nonce for request in endpoint.requests] != []
    assert len(endpoint.requests) == 3, "unreadable, asked again inertly, and once more as it stands: only then kept"


def test_what_is_remembered_belongs_to_who_said_it(tmp_path):
    def ask(endpoint, *texts, **settings):
        async def run():
            async with models({"default": judge_config(endpoint.url, **settings)}, data_dir=tmp_path) as keeper:
                return [await answered(keeper, a_call("judge.criteria", text, PARAMS)) for text in texts]

        before = len(endpoint.requests)
        asyncio.run(run())
        return len(endpoint.requests) - before

    with judge_endpoint(says(right=True)) as endpoint:
        assert ask(endpoint, "fine words", "more words") == 2
        assert ask(endpoint, "new words", "fine words", "more words") == 1, "a new process first hears who is there"
        assert ask(endpoint, "newer words", "fine words", max_tokens=99) == 2, "another setting is another judge"
        endpoint.fingerprint = "fp_2"
        assert ask(endpoint, "newest words", "fine words") == 2, "so is the same name with another model behind it"


def test_no_tenant_finds_out_by_the_clock_what_another_had_judged(tmp_path):
    def script(asked: Asked) -> str:
        time.sleep(0.2)
        return asked.object(right=True)

    async def run(url: str) -> list[bool]:
        call = a_call("judge.criteria", "same", PARAMS)
        async with models({"default": judge_config(url)}, data_dir=tmp_path) as keeper:
            tenants = ["acme", "other", None]
            at_once = await asyncio.gather(*(answered(keeper, replace(call, tenant=one)) for one in tenants))
            later = [await answered(keeper, replace(call, tenant=one)) for one in [*tenants, "third"]]
        return [reply.models["exchanges"][0]["cached"] for reply in [*at_once, *later]]

    with judge_endpoint(script) as endpoint:
        assert asyncio.run(run(endpoint.url)) == [False] * 3 + [True] * 3 + [False]
        assert len(endpoint.requests) == 4


def test_many_who_ask_the_same_at_once_ask_once():
    gate = threading.Event()

    def script(asked: Asked) -> str:
        gate.wait(10)
        return asked.object(right=True)

    async def run(url: str):
        async with models({"default": judge_config(url)}) as keeper:
            calls = [asyncio.create_task(answered(keeper, a_call("judge.criteria", "same", PARAMS))) for _ in range(8)]
            await asyncio.sleep(0.05)
            gate.set()
            return await asyncio.gather(*calls)

    with judge_endpoint(script) as endpoint:
        replies = asyncio.run(run(endpoint.url))
    assert len(endpoint.requests) == 1
    assert {reply.verdict and reply.verdict.score for reply in replies} == {1.0}


def test_one_who_stops_asking_does_not_stop_the_others():
    gate = threading.Event()

    def script(asked: Asked) -> str:
        gate.wait(10)
        return asked.object(right=True)

    async def run(url: str):
        async with models({"default": judge_config(url)}) as keeper:
            calls = [asyncio.create_task(answered(keeper, a_call("judge.criteria", "same", PARAMS))) for _ in range(2)]
            await asyncio.sleep(0.05)
            calls[0].cancel()
            gate.set()
            return await calls[1]

    with judge_endpoint(script) as endpoint:
        reply = asyncio.run(run(endpoint.url))
    assert reply.verdict is not None


def test_the_breaker_leaves_a_dead_endpoint_alone_and_lets_one_in_after_the_pause():
    now = [0.0]
    breaker = Breaker(failures=3, pause_s=30.0, clock=lambda: now[0])
    for _ in range(2):
        breaker.failed()
    assert breaker.wait_s == 0
    breaker.failed()
    assert breaker.wait_s == 30
    now[0] = 31.0
    assert breaker.wait_s == 0
    breaker.probing()
    assert breaker.wait_s == 30, "the others wait for what comes of the one"
    breaker.succeeded()
    assert breaker.wait_s == 0, "all may go on as soon as one got an answer"
    breaker.failed()
    assert breaker.wait_s == 0, "counted from nothing again"


def test_a_dead_endpoint_is_not_asked_for_ever():
    with judge_endpoint(status(503, {"retry-after": "0"})) as endpoint:
        endpoint.greeting = endpoint.script
        replies = judge_right(endpoint, "one", "two", "three", breaker_failures=3, tries=2)
    assert (len(endpoint.requests), len(endpoint.greetings)) == (4, 4)
    assert all(reply.fault and reply.fault.retryable for reply in replies)
    assert "left alone" in replies[-1].fault.message


def test_more_is_sent_while_it_goes_well_and_less_when_it_does_not():
    pacer = Pacer(most=16)
    assert pacer.limit == 4
    for _ in range(200):
        pacer.succeeded()
    assert pacer.limit == 16
    pacer.struggled()
    assert pacer.limit == 8


def test_trouble_of_one_moment_halves_once():
    async def run() -> float:
        pacer = Pacer(most=4)
        async with pacer.place(), pacer.place(), pacer.place(), pacer.place():
            for _ in range(4):
                pacer.struggled()
            return pacer.limit

    assert asyncio.run(run()) == 2


def test_no_more_than_at_once_are_under_way():
    async def run(url: str):
        async with models({"default": judge_config(url, at_once=3)}) as keeper:
            await asyncio.gather(*(answered(keeper, a_call("judge.criteria", f"t {i}", PARAMS)) for i in range(24)))

    with judge_endpoint(says(right=True)) as endpoint:
        asyncio.run(run(endpoint.url))
    assert len(endpoint.requests) == 24
    assert endpoint.most_busy <= 3


def test_one_who_gives_up_waiting_for_a_place_leaves_it_to_the_next():
    async def run() -> list[str]:
        pacer, order = Pacer(most=1), []

        async def visit(name: str) -> None:
            async with pacer.place():
                order.append(name)
                await asyncio.sleep(0)

        async with pacer.place():
            waiting = [asyncio.create_task(visit(name)) for name in "abc"]
            await asyncio.sleep(0)
            waiting[0].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return order

    assert asyncio.run(run()) == ["b", "c"]


def test_memory_forgets_the_oldest():
    memory = Memory(None)
    for key in "abcd":
        memory.keep(key, {"said": key})
    memory.keep("a", {"said": "again"})
    memory._prune(2)
    known = [memory.reply(key) for key in "abcd"]
    assert known == [{"said": "a"}, None, None, {"said": "d"}], "what was said first stays"
    memory.close()


def test_a_record_is_all_that_a_replay_needs():
    call = a_call("judge.answer", "It is 42, as I found.", {"samples": 3}, {}, "What is it?")
    with judge_endpoint(
        lambda asked: asked.object(**({"answer": "42"} if "answer" in asked.fields else {"same_answer": True}))
    ) as endpoint:

        async def run():
            async with models({"default": judge_config(endpoint.url)}) as keeper:
                return await answered(keeper, call)

        reply = asyncio.run(run())
    recorded = json.loads(json.dumps(reply.models))

    async def replay():
        return await call.spec.function(
            _completion(call),
            call.reference,
            call.spec.check_params(call.params),
            RecordedModels(recorded, call.prompt),
        )

    assert asyncio.run(replay()) == reply.verdict
    recorded["exchanges"][-1]["reply"] = recorded["exchanges"][-1]["reply"].replace("true", "false")
    assert asyncio.run(replay()).score == 0.0


def test_a_replay_that_asks_something_else_is_a_fault():
    call = a_call("judge.criteria", "It is 42.", PARAMS)

    async def replay():
        tools = RecordedModels({"exchanges": []}, call.prompt)
        return await call.spec.function(_completion(call), call.reference, call.spec.check_params(PARAMS), tools)

    with pytest.raises(JudgeFault, match="not on the record"):
        asyncio.run(replay())


def _completion(call):
    from rewarders.types import Completion

    return Completion.model_validate(call.completion)
