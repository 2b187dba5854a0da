"""The forms that OpenRLHF, slime and NeMo Gym send and read, over real HTTP."""

import math
from typing import Any

import httpx
import pytest

QUESTION = "<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n"
RIGHT = "<think>so</think><answer>\\boxed{4}</answer>"
RUBRIC_OF_TWO = "reasoning.v1"


def openrlhf(*replies: str, labels: Any = None, prompt: str = QUESTION, begin: str = "") -> dict[str, Any]:
    queries = [f"{begin}{prompt}{reply}" for reply in replies]
    return {"query": queries, "prompts": [prompt] * len(replies), "labels": labels or ["4"] * len(replies)}


def gym_row(*output: dict[str, Any], **fields: Any) -> dict[str, Any]:
    asked = {"input": [{"role": "user", "content": "2 + 2?", "type": "message"}], "instructions": "be brief"}
    response = {"id": "resp_1", "object": "response", "output": list(output), "tools": []}
    return {"responses_create_params": asked, "response": response, "_ng_task_index": 3, **fields}


def said(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}


def records(http: httpx.Client, run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get("/v1/records", params={"run": run, "expand": True}).json()["records"]
    return found


def is_problem(answer: httpx.Response, status: int) -> bool:
    return answer.status_code == status and answer.headers["content-type"] == "application/problem+json"


def test_openrlhf_is_answered_in_the_form_it_reads(http: httpx.Client):
    body = openrlhf("It is 4<|im_end|>", "It is 5<|im_end|>", labels=["4", 4], begin="<s>")
    answer = http.post("/openrlhf/math.v1/get_reward", json=body)
    assert answer.json() == {"rewards": [1.0, 0.0], "scores": [1.0, 0.0], "extra_logs": {"maths.equal": [1.0, 0.0]}}


def test_openrlhf_without_labels_or_items_is_answered_too(http: httpx.Client):
    empty = http.post("/openrlhf/math.v1/get_reward", json={"query": [], "prompts": [], "labels": []})
    assert (empty.status_code, empty.json()) == (200, {"rewards": [], "scores": [], "extra_logs": {}})
    unlabelled = {"query": ["abc"], "prompts": ["a"], "labels": None, "a_later_field": 1}
    assert http.post("/openrlhf/length.v1/get_reward", json=unlabelled).json()["rewards"] == [0.02]
    assert http.post("/openrlhf/length.v1/get_reward", json={**unlabelled, "labels": [""]}).json()["rewards"] == [0.02]


def test_the_columns_of_openrlhf_add_up_to_the_rewards(http: httpx.Client):
    answer = http.post(f"/openrlhf/{RUBRIC_OF_TWO}/get_reward", json=openrlhf(RIGHT, "4", RIGHT * 2)).json()
    assert answer["rewards"][:2] == [1.0, 0.0]
    assert [sum(column) for column in zip(*answer["extra_logs"].values(), strict=True)] == answer["rewards"]


@pytest.mark.parametrize("replies", [("raise",), ("fine", "raise", "fine")])
def test_what_openrlhf_sends_and_we_fail_to_score_is_503_and_no_zero(http: httpx.Client, replies: tuple[str, ...]):
    answer = http.post("/openrlhf/obeys.v1/get_reward", json=openrlhf(*replies, labels=[None] * len(replies)))
    assert is_problem(answer, 503)
    assert "RewarderFault" in answer.json()["detail"]
    assert "rewards" not in answer.json()


def test_a_prompt_that_openrlhf_cut_is_refused_and_not_judged_with_the_answer(http: httpx.Client):
    answer = http.post(
        "/openrlhf/math.v1/get_reward", json={"query": ["user\n2?4"], "prompts": [QUESTION], "labels": ["4"]}
    )
    assert is_problem(answer, 422)
    assert "max_len" in answer.json()["hint"]


def test_slime_is_answered_with_a_number_or_with_an_object(http: httpx.Client):
    sample = {"prompt": QUESTION, "response": RIGHT + "<|im_end|>", "label": "4"}
    assert http.post(f"/slime/{RUBRIC_OF_TWO}", json=sample).json() == 1.0
    whole = http.post(f"/slime/{RUBRIC_OF_TWO}", params={"as": "object"}, json=sample).json()
    assert whole.pop("reward") == sum(whole.values()) == 1.0
    assert set(whole) == {"layout.tags", "maths.equal", "layout.length"}


def test_slime_may_send_messages_and_a_reference_of_its_own(http: httpx.Client):
    chat = [{"role": "user", "content": "2 + 2?"}]
    sample = {"prompt": chat, "response": "four", "label": {"answer": ["4", "four"]}}
    assert http.post("/slime/math.v1", json=sample).json() == 1.0


def test_what_slime_sends_and_we_fail_to_score_is_503_and_no_zero(http: httpx.Client):
    assert is_problem(http.post("/slime/obeys.v1", json={"prompt": "", "response": "raise", "label": None}), 503)


def test_the_components_of_nemo_gym_add_up_exactly_and_its_row_comes_back(http: httpx.Client):
    for text in (RIGHT, "4", "", "<answer>4</answer>"):
        row = gym_row(said(text), expected_answer="4", question="2 + 2?")
        answer = http.post(f"/nemo-gym/{RUBRIC_OF_TWO}/verify", json=row).json()
        assert sum(answer["reward_components"].values()) == answer["reward"] == float(text == RIGHT)
        assert {field: answer[field] for field in row} == row
        assert answer["mask_sample"] is False
        assert answer["score/maths.equal"] in (0.0, 1.0)


def test_a_fault_behind_nemo_gym_is_masked_by_every_mark_there_is(http: httpx.Client):
    row = gym_row(said("raise"), instance_config={"kept": 1})
    answer = http.post("/nemo-gym/obeys.v1/verify", json=row)
    verdict = answer.json()
    assert answer.status_code == 200
    assert (verdict["mask_sample"], verdict["instance_config"]) == (True, {"kept": 1, "mask_sample": True})
    assert verdict["_ng_failure_class"] == verdict["failure_kind"] == "verifier_error"
    assert "RewarderFault" in verdict["failure_reason"]
    assert sum(verdict["reward_components"].values()) == verdict["reward"]


def test_a_row_that_was_masked_and_is_verified_again_loses_its_marks(http: httpx.Client):
    old = {
        "reward": 0.0,
        "_ng_failure_class": "verifier_error",
        "failure_kind": "verifier_error",
        "score/odd.echo": 0.0,
    }
    row = gym_row(said("fine"), mask_sample=True, failure_reason="it was down", **old)
    verdict = http.post("/nemo-gym/obeys.v1/verify", json=row).json()
    assert (verdict["reward"], verdict["mask_sample"]) == (1.0, False)
    assert not {"_ng_failure_class", "failure_kind", "failure_reason", "score/odd.echo"} & set(verdict)


def test_only_our_own_mask_is_taken_off_a_row_that_is_verified_again(http: httpx.Client):
    failed = http.post("/nemo-gym/obeys.v1/verify", json=gym_row(said("raise"), instance_config={"kept": 1})).json()
    again = {**failed, "response": gym_row(said("fine"))["response"]}
    assert http.post("/nemo-gym/obeys.v1/verify", json=again).json()["instance_config"] == {"kept": 1}
    masked = gym_row(said("fine"), instance_config={"mask_sample": True})
    assert http.post("/nemo-gym/obeys.v1/verify", json=masked).json()["instance_config"] == {"mask_sample": True}


def test_nemo_gyms_trajectory_is_on_the_record_and_its_last_words_are_judged(http: httpx.Client):
    call = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a": 2}'}
    result = {"type": "function_call_output", "call_id": "c1", "output": "4"}
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "add them"}]}
    row = gym_row(thought, call, result, said("It is 4"), {"type": "web_search_call"}, answer="4")
    verdict = http.post("/nemo-gym/math.v1/verify", params={"run": "gym"}, json=row).json()
    (record,) = records(http, "gym")
    assert (verdict["reward"], verdict["assay_record_id"]) == (1.0, record["id"])
    completion = record["completion"]
    assert (completion["text"], completion["finish_reason"]) == ("It is 4", "stop")
    assert [turn["role"] for turn in completion["messages"]] == ["assistant", "assistant", "tool", "assistant"]
    assert [turn["role"] for turn in record["task"]["prompt"]] == ["system", "user"]


def test_a_response_that_nemo_gym_cut_short_is_judged_as_cut_short(http: httpx.Client):
    row = gym_row(said("It is 4"), answer="4")
    row["response"]["incomplete_details"] = {"reason": "max_output_tokens"}
    assert http.post("/nemo-gym/math.v1/verify", params={"run": "cut"}, json=row).json()["reward"] == 0.0
    assert records(http, "cut")[0]["completion"]["finish_reason"] == "length"


def test_a_refusal_is_text_like_any_other(http: httpx.Client):
    message = {**said(""), "content": [{"type": "refusal", "refusal": "I will not"}]}
    http.post("/nemo-gym/length.v1/verify", params={"run": "refusal"}, json=gym_row(message))
    assert records(http, "refusal")[0]["completion"]["text"] == "I will not"


def test_nemo_gyms_label_can_be_any_field(http: httpx.Client):
    row = gym_row(said("4"), verifier_metadata={"answer": "5"}, solution="4")
    assert http.post("/nemo-gym/math.v1/verify", json=row).json()["reward"] == 0.0
    assert http.post("/nemo-gym/math.v1/verify", params={"label": "solution"}, json=row).json()["reward"] == 1.0


def test_what_nemo_gym_asks_beside_verdicts_is_answered(http: httpx.Client):
    assert http.post("/nemo-gym/math.v1/seed_session", json={"question": "2 + 2?"}).json() == {}
    seeded = {"resources_session_id": "s1", "episode_id": "e", "task_id": "t", "task_data": {}}
    assert http.post("/nemo-gym/math.v1/seed_session", json=seeded).json() == {"resources_session_id": "s1"}
    assert http.get("/nemo-gym/math.v1/reverify_mode").json() == "stateless"
    assert is_problem(http.post("/nemo-gym/absent.v1/seed_session", json={}), 404)


def test_the_mean_of_nemo_gym_is_over_what_was_scored(http: httpx.Client):
    masked = {"reward": 0.0, "mask_sample": True}
    rows = [{"reward": 1.0}, {"reward": 0.5}, masked, {"reward": 0.0, "_ng_failure_class": "judge_failed"}, {}]
    told = http.post("/nemo-gym/math.v1/aggregate_metrics", json={"verify_responses": rows}).json()
    assert told["agent_metrics"] == {"mean/reward": 0.75, "count": 2, "unscored": 3}
    large = http.post("/nemo-gym/math.v1/aggregate_metrics", json={"verify_responses": [{"reward": 1.7e308}] * 3})
    assert large.json()["key_metrics"]["mean/reward"] == pytest.approx(1.7e308)
    none = http.post("/nemo-gym/math.v1/aggregate_metrics", json={"verify_responses": [masked]}).json()
    assert none["key_metrics"] == {"mean/reward": None}


def test_nemo_gym_can_be_refused_what_could_not_be_scored(make_server, server_toml: str):
    server = make_server(toml=server_toml + '[dialects]\nnemo_gym_unscored = "refuse"\nend_marks = ["END"]\n')
    with httpx.Client(base_url=server.url, timeout=60) as http:
        assert is_problem(http.post("/nemo-gym/obeys.v1/verify", json=gym_row(said("raise"))), 503)
        assert http.post("/slime/length.v1", json={"prompt": "", "response": "1234END"}).json() == 0.04


def test_labels_that_spell_json_are_read_where_the_address_says_so(http: httpx.Client):
    spelled = '{"answer": ["4", "four"]}'
    row, sample = gym_row(said("four"), answer=spelled), {"prompt": "p", "response": "four", "label": spelled}
    for json_labels, reward in (("true", 1.0), ("false", 0.0)):
        asked: dict[str, Any] = {"params": {"json_labels": json_labels}}
        told = http.post("/openrlhf/math.v1/get_reward", json=openrlhf("four", labels=[spelled]), **asked).json()
        assert told["rewards"] == [reward]
        assert http.post("/slime/math.v1", json=sample, **asked).json() == reward
        assert http.post("/nemo-gym/math.v1/verify", json=row, **asked).json()["reward"] == reward


@pytest.mark.parametrize("label", ["SECRET", '{"a": 1, "a": 2}', "[" + "0," * 130_000 + "0]", "[" * 5000])
def test_labels_that_spell_no_json_are_refused(http: httpx.Client, label: str):
    body = openrlhf("4", "4", labels=["4", label])
    answer = http.post("/openrlhf/math.v1/get_reward", params={"json_labels": True}, json=body)
    assert is_problem(answer, 422)
    assert "SECRET" not in answer.text


def test_rewards_of_every_dialect_are_on_record_under_the_run_that_the_address_names(http: httpx.Client):
    asked = {"params": {"run": "a run"}}
    http.post("/openrlhf/length.v1/get_reward", json=openrlhf("one", "two", labels=[None, None]), **asked)
    http.post("/openrlhf/obeys.v1/get_reward", json=openrlhf("raise", labels=[None]), **asked)
    http.post("/slime/length.v1", json={"prompt": "p", "response": "three"}, **asked)
    found = sorted((one["task"]["source"], one["completion"]["text"], one["status"]) for one in records(http, "a run"))
    assert found == [
        ("openrlhf", "one", "scored"),
        ("openrlhf", "raise", "unscored"),
        ("openrlhf", "two", "scored"),
        ("slime", "three", "scored"),
    ]


ROUTES = {
    "/openrlhf/{}/get_reward": openrlhf("x"),
    "/slime/{}": {"prompt": "p", "response": "x", "label": "4"},
    "/nemo-gym/{}/verify": gym_row(said("x"), answer="4"),
}


@pytest.mark.parametrize("route", ROUTES)
def test_a_rubric_that_there_is_not_is_404(http: httpx.Client, route: str):
    assert is_problem(http.post(route.format("absent.v1"), json=ROUTES[route]), 404)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"SECRET"', b'{"SECRET": NaN}', b'{"SECRET": 1, "SECRET": 2}', b"\xff", b"[" * 10_000],
)
def test_a_body_that_is_none_is_a_problem_that_repeats_nothing(http: httpx.Client, route: str, body: bytes):
    answer = http.post(route.format("math.v1"), content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 413, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "SECRET" not in answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/openrlhf/math.v1/get_reward", {"query": ["SECRET"], "prompts": []}),
        ("/openrlhf/math.v1/get_reward", {"query": "SECRET", "prompts": "SECRET"}),
        ("/openrlhf/math.v1/get_reward", {**openrlhf("x"), "labels": [{"SECRET": 1}]}),
        ("/slime/math.v1", {"prompt": [{"role": "SECRET", "content": "x"}], "response": "x", "label": "4"}),
        ("/slime/math.v1", {"prompt": "p", "response": 4}),
        ("/slime/math.v1?as=SECRET", {"prompt": "p", "response": "x", "label": "4"}),
        ("/nemo-gym/math.v1/verify", gym_row("SECRET", answer="4")),
        ("/nemo-gym/math.v1/verify", gym_row(said("x") | {"role": "SECRET"}, answer="4")),
        ("/nemo-gym/math.v1/verify", gym_row({"type": ["SECRET"], "content": {}}, {"type": "message", "role": 7})),
        ("/nemo-gym/math.v1/aggregate_metrics", {"verify_responses": "SECRET"}),
        ("/nemo-gym/math.v1/aggregate_metrics", {"verify_responses": [{"reward": 10**400}]}),
    ],
)
def test_a_field_that_is_wrong_is_422_and_repeats_nothing(http: httpx.Client, path: str, body: Any):
    answer = http.post(path, json=body)
    assert answer.status_code in (400, 422)
    assert "SECRET" not in answer.text


def test_more_completions_than_a_request_may_have_are_refused(http: httpx.Client):
    assert is_problem(http.post("/openrlhf/length.v1/get_reward", json=openrlhf(*["x"] * 1025)), 413)


def test_a_score_for_openrlhf_stays_between_0_and_1_where_rewards_do_not(make_server, server_toml: str):
    parts = '{ rewarder = "odd.echo" }, { rewarder = "odd.length", weight = -3.0 }'
    penal = f'[rubrics."penal.v1"]\naggregate = "sum"\nparts = [{parts}]\n'
    generous = '[rubrics."generous.v1"]\naggregate = "sum"\nparts = [{ rewarder = "odd.length", weight = 3.0 }]\n'
    server = make_server(toml=server_toml + penal + generous)
    with httpx.Client(base_url=server.url, timeout=60) as http:
        for rubric, label, reward, score in (("penal.v1", "y", -1.5, 0.0), ("generous.v1", None, 1.5, 1.0)):
            answer = http.post(f"/openrlhf/{rubric}/get_reward", json=openrlhf("x" * 50, labels=[label])).json()
            assert math.isclose(answer["rewards"][0], reward)
            assert answer["scores"] == [score]
