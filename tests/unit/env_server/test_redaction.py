"""What must not be on a record is not there, wherever it stood; and what is scored is not touched."""

import asyncio
import json
from pathlib import Path

import pytest
from counted_work import grows_no_faster_than_its_input
from hypothesis import given
from hypothesis import strategies as st
from judge_endpoint import judge_endpoint
from pydantic import ValidationError
from raw_items import raw_item

from env_server import redaction
from env_server.app import open_service
from env_server.config import RedactionConfig, ServiceConfig
from env_server.engine import KeepReply
from env_server.redaction import MASK, Redactor
from env_server.redaction_rules import Rule, built_in
from env_server.schemas import ScoreResponse
from rewarders.digests import digest

PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "MIIEowIBAAKCAQEAtest0123456789abcdefghijklmnop\n" * 3
    + "-----END RSA PRIVATE KEY-----"
)
SECRETS = {
    "private-key": [
        PEM,
        PEM.replace("\n", "\\n"),
        PEM.replace("RSA ", "OPENSSH "),
        PEM.replace("-----\nMII", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\nMII"),
        PEM.partition("-----END")[0].rstrip(),
        PEM.replace("\n", "\n> "),
        PEM.replace("\n", "\n# ").partition("-----END")[0].rstrip("\n# "),
        PEM.replace("\n", '\\n" +\n  "'),
    ],
    "cloud-key": [
        "AKIAIOSFODNN7EXAMPLE",
        "AIza" + "Sy0123456789abcdefghijklmnopqrstuv_"[:35],
        "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyz",
        "hf_" + "A" * 34,
        "sk-proj-" + "a1B2" * 8,
        "AKIA\\u0049OSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ],
    "bearer-token": [
        "Authorization: Bearer abcdefghijklmnop0123",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    ],
    "email": ["jane.doe+x@mail.example.co.uk", "a@b.de", "bob@exämple.com", "jürgen@b.de", "bob\\u0040example.com"],
}
INNOCENT = [
    "The answer is 42.", "a @ b and x@y", "-----BEGIN PUBLIC KEY-----", "risk-averse people ask-a-lot", "bearer of it",
    "def f(a: int) -> str: return 'AKIA'", "version 1.2.3", "foo@bar", "\\boxed{\\frac{1}{2}}",
]  # fmt: skip


def redact(redactor: Redactor, text: str, **more):
    task = {"id": "t", "prompt": [{"role": "user", "content": more.pop("prompt", "?")}], "rubric": "r.v1"}
    verdict = {"score": 1.0, "reason": "r", "evidence": more.pop("evidence", {})}
    component = {"rewarder": "a.b", "verdict": verdict, "fault": None}
    completion = {"text": text, "finish_reason": "stop", **more.pop("completion", {})}
    detail = {
        "breakdown": {"completion_digest": digest(completion), "components": [component]},
        "models": [more.pop("models", None)],
        "task_digest": digest(task),
    }
    return redactor.redact(task, completion, detail)


EVERYTHING = Redactor(tuple(built_in(name) for name in SECRETS))


@pytest.mark.parametrize(("name", "secret"), [(name, one) for name, all_of in SECRETS.items() for one in all_of])
def test_a_built_in_rule_finds_what_it_is_for_and_leaves_the_rest(name, secret: str):
    rule = Redactor((built_in(name),))
    _, completion, detail = redact(rule, f"See: {secret} , and go on.")
    text = completion["text"]
    shown = secret.removeprefix("Authorization: ")
    assert (shown in text, len(text)) == (False, len(f"See: {secret} , and go on."))
    assert text.startswith("See: ")
    assert text.endswith(", and go on.")
    assert text.count(MASK) == len(shown)
    assert detail["redactions"] == [{"rule": name, "version": "2", "in": "completion", "count": 1}]


@pytest.mark.parametrize(
    "text",
    ["api_AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE_", "x_AIza" + "a" * 35, "TOKEN_Bearer abcdefghijklmnop0123"],
)
def test_a_key_in_a_name_is_found(text: str):
    _, completion, _ = redact(EVERYTHING, text)
    assert MASK * 20 in completion["text"]


def test_the_beginning_of_a_key_alone_takes_no_prose_with_it():
    text = "-----BEGIN PRIVATE KEY-----\nThis is how it begins, and then come letters."
    _, completion, _ = redact(EVERYTHING, text)
    assert completion["text"] == MASK * 27 + text[27:]


def test_what_the_arguments_of_a_tool_spell_in_escapes_is_masked():
    arguments = '{"to":"bob\\u0040example.com","key":"\\u0041KIAIOSFODNN7EXAMPLE", "note":"caf\\u00e9 \\/ bar"}'
    calls = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": arguments}}]}]}
    _, completion, detail = redact(EVERYTHING, "x", completion=calls)
    kept = completion["messages"][0]["tool_calls"][0]["function"]["arguments"]
    for secret in ("bob\\u0040example.com", "\\u0041KIAIOSFODNN7EXAMPLE"):
        arguments = arguments.replace(secret, MASK * len(secret))
    assert kept == arguments
    assert sum(one["count"] for one in detail["redactions"]) == 2


@pytest.mark.parametrize("unit", ["\\", "\\u0041", "\\/", "-----BEGIN PRIVATE KEY-----\n", "\\u0040b.de "])
def test_a_text_full_of_escapes_costs_in_proportion_to_its_length(unit: str):
    assert grows_no_faster_than_its_input(lambda size: redact(EVERYTHING, unit * size), 4000 // len(unit))


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text: str):
    _, completion, detail = redact(EVERYTHING, text)
    assert (completion["text"], detail["redactions"]) == (text, [])


def everything_written(result) -> str:
    return json.dumps(result, ensure_ascii=False)


def test_a_secret_is_gone_wherever_it_stood():
    key = SECRETS["cloud-key"][0]
    exchange = {
        "judge": "default", "identity": "sha256:i", "question": "sha256:q", "sample": 0, "reply": f"I see {key}",
        "request": {"messages": [{"role": "user", "content": key}]}, "logprobs": [{"token": key[:5]}], "nonce": "n",
    }  # fmt: skip
    calls = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": {key: [key]}}}]}]}
    result = redact(
        EVERYTHING,
        f"{key}",
        prompt=key,
        evidence={"quoted": [key], key: 1},
        completion=calls,
        models={"exchanges": [exchange]},
    )
    assert key not in everything_written(result)
    counted = {(one["in"], one["count"]) for one in result[2]["redactions"]}
    assert {("task", 1), ("completion", 3)} <= counted


def test_digests_of_what_held_a_secret_are_gone_too_since_they_could_be_tried_out():
    pin = Redactor((Rule(name="pin", version="7", pattern="PIN [0-9]{4}"),))
    _, completion, detail = redact(
        pin, "PIN 1234", models={"exchanges": [{"judge": "j", "question": "q", "request": 1}]}
    )
    tried = {digest({"text": f"PIN {n}", "finish_reason": "stop"}) for n in range(1000, 10_000)}
    assert detail["breakdown"]["completion_digest"] == digest(completion) not in tried
    assert detail["models"][0]["exchanges"][0] == {"judge": "j", "question": None, "request": None}


def test_a_piece_of_a_masked_secret_is_masked_in_evidence():
    _, _, detail = redact(EVERYTHING, f"Here: {PEM}", evidence={"cut": PEM[40:80], "other": "no secret at all here"})
    evidence = detail["breakdown"]["components"][0]["verdict"]["evidence"]
    assert evidence == {"cut": MASK * 40, "other": "no secret at all here"}


def test_places_in_evidence_still_point_at_what_they_meant():
    _, completion, _ = redact(EVERYTHING, "mail a@b.de, then \\boxed{4}")
    assert completion["text"][18:] == "\\boxed{4}"
    assert completion["text"].index("\\boxed") == "mail a@b.de, then \\boxed{4}".index("\\boxed")


def test_the_name_of_a_task_and_of_its_rubric_stay_what_the_columns_of_the_record_say():
    greedy = Redactor((Rule(name="all", version="1", pattern=".+"),))
    task, _, _ = redact(greedy, "x")
    assert (task["id"], task["rubric"], task["prompt"]) == ("t", "r.v1", [{"role": MASK * 4, "content": MASK}])


def test_keys_that_become_the_same_are_told_apart():
    _, _, detail = redact(EVERYTHING, "x", evidence={"a@b.de": 1, "c@d.de": 2})
    assert sorted(detail["breakdown"]["components"][0]["verdict"]["evidence"].values()) == [1, 2]


def test_without_a_match_nothing_is_changed():
    task, completion, detail = redact(EVERYTHING, "nothing", evidence={"a": 1}, models={"exchanges": [{"reply": "x"}]})
    assert completion == {"text": "nothing", "finish_reason": "stop"}
    assert detail["breakdown"]["completion_digest"] == digest(completion)
    assert detail["task_digest"] == digest(task)
    assert detail["models"] == [{"exchanges": [{"reply": "x"}]}]


@given(
    st.text(st.characters(codec="utf-8")),
    st.lists(st.sampled_from(SECRETS["email"] + SECRETS["cloud-key"]), max_size=4),
)
def test_a_masked_text_is_as_long_as_it_was_and_holds_none_of_it(text: str, secrets: list[str]):
    whole = text + "".join(f" {one} " for one in secrets)
    _, completion, _ = redact(EVERYTHING, whole)
    assert len(completion["text"]) == len(whole)
    assert not any(f" {one} " in completion["text"] for one in secrets)


def test_a_text_full_of_matches_costs_a_bounded_number_of_searches(monkeypatch: pytest.MonkeyPatch):
    searched = []

    def counted(pattern, text):
        for span in find_all(pattern, text):
            searched.append(span)
            yield span

    find_all = redaction.find_all
    monkeypatch.setattr(redaction, "find_all", counted)
    _, completion, detail = redact(EVERYTHING, "a@b.de " * 300_000 + "the end")
    assert len(searched) == redaction.MOST_MATCHES
    assert completion["text"].endswith(MASK * 7)
    assert detail["redactions"][0]["count"] == redaction.MOST_MATCHES


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"rules": [{"name": "x", "pattern": "a*"}]}, "matches where there is nothing"),
        ({"rules": [{"name": "x", "pattern": "(?=a)"}]}, "no pattern of RE2"),
        ({"rules": [{"name": "email", "pattern": "a"}], "built_in": ["email"]}, "two rules 'email'"),
        ({"built_in": ["passwords"]}, "private-key"),
    ],
)
def test_rules_that_cannot_work_are_refused(section, problem: str):
    with pytest.raises(ValidationError, match=problem):
        RedactionConfig.model_validate(section)


def test_a_service_scores_the_text_and_records_it_redacted_and_keeps_no_answer_that_tells(odd_service, tmp_path: Path):
    secret = "jane.doe@example.com"

    async def run():
        async with odd_service(redaction={"built_in": ["email"]}) as service:
            keep = KeepReply("key", "digest")
            answer = await service.engine.score([raw_item(f"{secret}!" + "x" * 29)], keep=keep)
            (item,) = ScoreResponse.model_validate_json(answer).items
            return item, service.reader.record(item.record_id), service.engine.ledger.kept_reply("key")

    item, record, (_, kept) = asyncio.run(run())
    assert item.reward == record["reward"] == 0.5
    assert record["completion"]["text"] == MASK * len(secret) + "!" + "x" * 29
    assert record["redactions"] == [{"rule": "email", "version": "2", "in": "completion", "count": 1}]
    assert item.completion_digest != record["breakdown"]["completion_digest"] == digest(record["completion"])
    (again,) = ScoreResponse.model_validate_json(kept).items
    assert again.reward == item.reward
    assert again.completion_digest == record["breakdown"]["completion_digest"]
    for path in (tmp_path / "data").rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()


def test_what_a_judge_was_sent_and_said_is_nowhere_in_the_data_directory(tmp_path: Path):
    secret = "jane.doe@example.com"
    part = {"rewarder": "judge.criteria", "params": {"criteria": {"good": "It is good."}}}

    async def run(url: str):
        config = ServiceConfig.model_validate({
            "workers": {"processes": 1}, "sandbox": {"backend": "off"}, "ledger": {"data_dir": tmp_path},
            "judges": {"default": {"url": url, "model": "m", "tries": 1}}, "calibration": {"required": False},
            "redaction": {"built_in": ["email"]}, "rubrics": {"j.v1": {"parts": [part]}},
        })  # fmt: skip
        async with open_service(config) as service:
            items = [raw_item(f"Write to {text}, who knows it all.", "j.v1") for text in (secret, "nobody")]
            answer = ScoreResponse.model_validate_json(await service.engine.score(items))
            return answer.items, [service.reader.record(item.record_id) for item in answer.items]

    with judge_endpoint(lambda asked: asked.object(good=True, reasoning=f"I like {secret}")) as endpoint:
        items, (redacted, whole) = asyncio.run(run(endpoint.url))
    assert [item.reward for item in items] == [1.0, 1.0]
    (exchange,) = redacted["instrument"][0]["models"]["exchanges"]
    assert (exchange["request"], exchange["question"], secret in exchange["reply"]) == (None, None, False)
    assert whole["redactions"] == [{"rule": "email", "version": "2", "in": "detail", "count": 1}]
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()


def test_judges_remember_nothing_in_which_something_would_be_redacted():
    assert EVERYTHING.finds_nothing({"request": ["fine"], "reply": "\\u00e9"})
    assert not EVERYTHING.finds_nothing({"request": ["see jane@example.com"]})
    assert not EVERYTHING.finds_nothing({"request": ["see jane\\u0040example.com"]})


def test_a_kept_answer_that_holds_nothing_to_take_out_is_the_answer_byte_for_byte():
    costs = {"cpu_s": 1e-06, "wall_s": 2e-05, "observed": 1e16, "cached": False, "weight": 0.1, "gate": False}
    verdict = {"score": 1.0, "reason": "done", "evidence": {"text": "é\u2028/\\\x7f", "at": 1e-07}}
    component = {"rewarder": "odd.length", "version": "1.0", "distribution": "odd", "verdict": verdict, "fault": None}
    reply = ScoreResponse.model_construct(
        items=[{"fault": None, "components": [{**component, **costs}], "completion_digest": "d", "record_id": None}],
        problems=(),
    )
    spelled = reply.model_dump_json(warnings=False).encode()
    assert EVERYTHING.redact_reply(spelled, {}) == spelled
