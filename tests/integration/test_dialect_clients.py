"""What runs inside TRL and verl, against a live service, without either of them."""

import asyncio
import multiprocessing
import pickle
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

from env_server.client import AsyncRewardClient, ServiceUnreachable
from env_server.dialects.patience import Patience
from env_server.dialects.trl import RewardFunction, reward_funcs
from env_server.dialects.verl import compute_score, compute_scores, disconnect
from rewarders.errors import ConfigError, InvalidTask, RewarderFault

RIGHT = "<think>so</think><answer>\\boxed{4}</answer>"
HASTY = Patience(timeout_s=30, retries=0)


@pytest.fixture
def url(http: httpx.Client) -> str:
    return str(http.base_url)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many items each request had."""
    sizes: list[int] = []
    score = AsyncRewardClient.score

    async def counted(self: AsyncRewardClient, items: Any, *rest: Any, **named: Any) -> Any:
        sizes.append(len(items))
        return await score(self, items, *rest, **named)

    monkeypatch.setattr(AsyncRewardClient, "score", counted)
    return sizes


def at(step: int) -> SimpleNamespace:
    return SimpleNamespace(global_step=step)


def totals(functions: list[RewardFunction], *completions: Any, **columns: Any) -> list[float | None]:
    """What TRL adds up."""
    prompts = ["2 + 2?"] * len(completions)
    said = [one(prompts=prompts, completions=completions, completion_ids=[], **columns) for one in functions]
    return [None if None in parts else sum(filter(None, parts)) for parts in zip(*said, strict=True)]


def test_the_functions_of_a_rubric_add_up_to_its_reward_and_ask_once(url: str, requests: list[int]):
    functions = reward_funcs(url, "reasoning.v1")
    assert [one.__name__ for one in functions] == ["layout.tags", "maths.equal"], "length is observed, never paid"
    assert totals(functions, RIGHT, "4", answer=["4", "4"], trainer_state=at(1)) == [1.0, 0.0]
    assert requests == [2]


def test_every_function_says_none_of_what_was_left_unscored(make_server: Any, server_toml: str):
    parts = '[rubrics."two.v1"]\nparts = [{ rewarder = "odd.length" }, { rewarder = "odd.obeys" }]\n'
    functions = reward_funcs(make_server(toml=server_toml + parts).url, "two.v1", label="")
    said = [one(["p"] * 2, ["raise", "x" * 100]) for one in functions]
    assert said == [[None, 0.5], [None, 0.5]]


def test_weights_follow_trls_steps(make_server: Any, server_toml: str):
    late = '{ rewarder = "odd.length", weight = [[0, 0.0], [10, 1.0]] }'
    rubric = f'[rubrics."late.v1"]\naggregate = "sum"\nparts = [{{ rewarder = "odd.obeys" }}, {late}]\n'
    functions = reward_funcs(make_server(toml=server_toml + rubric).url, "late.v1", label="")
    paid = [totals(functions, "x" * 50, trainer_state=at(step)) for step in (0, 5, 10)]
    assert paid == [[1.0], [1.25], [1.5]]


def test_functions_that_were_pickled_one_by_one_still_ask_once(url: str, requests: list[int]):
    functions = [pickle.loads(pickle.dumps(one)) for one in reward_funcs(url, "reasoning.v1")]
    assert totals(functions, RIGHT, answer=["4"]) == [1.0]
    assert requests == [1]


def test_a_batch_that_comes_again_is_asked_again_and_recorded_again(http: httpx.Client, url: str, requests: list[int]):
    functions = reward_funcs(url, "reasoning.v1", run="twice")
    for _ in range(2):
        assert totals(functions, RIGHT, answer=["4"], trainer_state=at(5)) == [1.0]
    assert requests == [1, 1]
    found = http.get("/v1/records", params={"run": "twice", "expand": True}).json()["records"]
    assert [record["step"] for record in found] == [5, 5]
    assert found[0]["group"] == f"5/{found[0]['task']['id']}"


def test_a_function_that_is_used_alone_asks_for_each_batch(url: str, requests: list[int]):
    _, alone = reward_funcs(url, "reasoning.v1")
    assert [totals([alone], RIGHT, answer=["4"]) for _ in range(3)] == [[1.0]] * 3
    assert requests == [1, 1, 1]


def test_batches_that_are_scored_side_by_side_are_not_mixed_up(url: str, requests: list[int]):
    functions = reward_funcs(url, "reasoning.v1")
    together = threading.Barrier(8)

    def one(number: int) -> list[float | None]:
        together.wait(30)
        return totals(functions, *[RIGHT] * number, *["no"] * (8 - number), answer=["4"] * 8)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(one, range(8))) == [[1.0] * number + [0.0] * (8 - number) for number in range(8)]
    assert requests == [8] * 8


def test_functions_work_where_an_event_loop_runs_as_in_a_notebook(url: str):
    async def cell() -> list[float | None]:
        return totals(reward_funcs(url, "reasoning.v1"), RIGHT, answer=["4"])

    assert asyncio.run(cell()) == [1.0]


def test_functions_work_in_a_process_that_was_forked(url: str):
    functions = reward_funcs(url, "reasoning.v1")
    assert totals(functions, RIGHT, answer=["4"]) == [1.0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn that threads do not come along
        child = multiprocessing.get_context("fork").Process(target=leave_with_1_if_wrong, args=(functions,))
        child.start()
    child.join(60)
    code = child.exitcode
    child.kill()
    assert code == 0


def leave_with_1_if_wrong(functions: list[RewardFunction]) -> None:
    sys.exit(totals(functions, RIGHT, answer=["4"]) != [1.0])


def test_more_completions_than_fit_into_a_request_are_scored_in_several(url: str, requests: list[int]):
    functions = reward_funcs(url, "length.v1", label="", patience=Patience(items_per_request=2))
    assert totals(functions, "x", "xx", "xxx") == [0.01, 0.02, 0.03]
    assert requests == [2, 1]


def test_conversations_and_objects_as_labels_are_understood(url: str):
    said = [{"role": "assistant", "content": "four"}]
    functions = reward_funcs(url, "math.v1", label="truth")
    assert totals(functions, said, said, truth=[{"answer": ["4", "four"]}, np.int64(4)]) == [1.0, 1.0]


def test_labels_may_spell_json_in_trl_and_verl(url: str):
    spelled = ['{"answer": ["4", "four"]}', "4"]
    functions = reward_funcs(url, "math.v1", json_labels=True)
    assert totals(functions, "four", "4", answer=spelled) == [1.0, 1.0]
    named = {"url": url, "rubric": "math.v1", "json_labels": True}
    assert [one["score"] for one in compute_scores("ss", ["four", "5"], spelled, **named)] == [1.0, 0.0]


def test_trl_is_told_what_was_unscored_and_where_the_records_are(url: str):
    told: dict[str, Any] = {}
    functions = reward_funcs(url, "obeys.v1", label="")
    totals(functions, "raise", "x", log_metric=told.__setitem__, log_extra=told.__setitem__)
    assert told["unscored"] == 0.5
    assert [len(record) for record in told["record_id"]] == [36, 36]


def test_mistakes_of_a_run_stop_it_and_are_no_rewards(url: str):
    with pytest.raises(ConfigError, match=r"no rubric 'absent\.v1'"):
        reward_funcs(url, "absent.v1")
    with pytest.raises(ConfigError, match="no column 'answer'"):
        totals(reward_funcs(url, "math.v1"), "4")
    with pytest.raises(InvalidTask, match="the service cannot grade task trl:sha256"):
        totals(reward_funcs(url, "math.v1"), "4", answer=[{"odd": 1}])
    with pytest.raises(ServiceUnreachable):
        reward_funcs("http://127.0.0.1:9", "math.v1", patience=HASTY)


def test_a_batch_that_failed_can_be_asked_for_again(make_server: Any):
    server = make_server()
    functions = reward_funcs(server.url, "length.v1", label="", patience=HASTY)
    server.kill()
    with pytest.raises(ServiceUnreachable):
        totals(functions, "xx")
    server.start()
    assert totals(functions, "xx") == [0.02]


def verl(*samples: tuple[str, str, Any], **named: Any) -> list[dict[str, float]]:
    async def each() -> list[dict[str, float]]:
        try:
            return list(await asyncio.gather(*(compute_score(*sample, **named) for sample in samples)))
        finally:
            await disconnect()

    return asyncio.run(each())


@pytest.fixture(params=[verl, lambda *samples, **named: compute_scores(*zip(*samples, strict=True), **named)])
def scores(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One sample at a time, and a batch at once."""
    return request.param


def test_every_sample_of_verl_has_the_same_keys(url: str, scores: Any):
    told = scores(
        ("sums", "It is 4", "4"), ("sums", "5", np.array(["4", "four"])), ("sizes", "xx", None),
        url=url, rubric={"sums": "math.v1", "sizes": "length.v1"}, components=["maths.equal", "odd.length"],
    )  # fmt: skip
    assert told == [
        {"maths.equal": 1.0, "odd.length": 0.0, "score": 1.0, "unscored": 0.0},
        {"maths.equal": 0.0, "odd.length": 0.0, "score": 0.0, "unscored": 0.0},
        {"maths.equal": 0.0, "odd.length": 0.02, "score": 0.02, "unscored": 0.0},
    ]


def test_a_fault_stops_verl_unless_a_number_was_chosen_for_it(url: str, scores: Any):
    with pytest.raises(RewarderFault, match="no reward of 0"):
        scores(("s", "raise", None), url=url, rubric="obeys.v1")
    samples = [("s", "raise", None), ("s", "fine", None)]
    told = scores(*samples, url=url, rubric="obeys.v1", unscored=-1.0, components=["odd.obeys"])
    assert told[0] == {"odd.obeys": 0.0, "score": -1.0, "unscored": 1.0}
    assert told[0].keys() == told[1].keys()


def test_a_label_that_is_no_reference_stops_verl(url: str, scores: Any):
    with pytest.raises(InvalidTask):
        scores(("s", "4", {"odd": 1}), url=url, rubric="math.v1")


def test_hundreds_of_samples_of_verl_at_once_are_all_answered(url: str):
    told = verl(*(("s", "x" * (size % 100), None) for size in range(300)), url=url, rubric="length.v1")
    assert [one["score"] for one in told] == [size % 100 / 100 for size in range(300)]


def test_what_verl_scores_is_recorded_with_its_question_and_run(http: httpx.Client, url: str):
    named = {"url": url, "rubric": "length.v1", "run": "verl run", "num_turns": 1}
    asyncio.run(asked_and_closed("s", "x", None, {"question": "how long?"}, **named))
    (record,) = http.get("/v1/records", params={"run": "verl run", "expand": True}).json()["records"]
    assert record["task"]["prompt"] == [{"role": "user", "content": "how long?"}]


async def asked_and_closed(*sample: Any, **named: Any) -> None:
    await compute_score(*sample, **named)
    await disconnect()
