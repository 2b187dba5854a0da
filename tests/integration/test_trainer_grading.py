"""The trainer's grader against a service that really runs."""

import sys
from collections.abc import Iterator

import pytest

from env_server.client import RewardClient
from env_server.schemas import Run
from rewarders.errors import InvalidTask
from rewarders.types import FinishReason, Message, Task
from trainer.grading import ServiceGrader
from trainer.rollouts import Rollout
from trainer.samplers import Sample
from trainer.server import ServerNotStarted, spawned_server


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with spawned_server(tmp_path_factory.mktemp("server")) as url:
        yield url


def rollouts(answers, rubric="math.v1"):
    prompt = (Message(role="user", content="1+1="),)
    task = Task(id="sum", prompt=prompt, rubric=rubric, reference={"answer": "2"})
    sample = Sample((1,), (0.0,), FinishReason.STOP, "step-0")
    return [Rollout(task, (1,), 0, index, sample, text) for index, text in enumerate(answers)]


def grade(url, asked, step, chunk=256, nonce="run"):
    with RewardClient(url, timeout_s=30) as client:
        return ServiceGrader(client, items_per_request=chunk, nonce=nonce).grade(asked, Run(id="grading", step=step))


def test_answers_come_back_in_order_across_requests(url):
    graded = grade(url, rollouts(["\\boxed{2}", "\\boxed{3}", "", "\\boxed{2}", "\\boxed{4/2}"]), step=1, chunk=2)
    assert [item.reward for item in graded] == [1.0, 0.0, 0.0, 1.0, 1.0]
    assert [item.sample for item in graded] == [0, 1, 2, 3, 4]


def test_asking_again_gives_the_recorded_answers_and_another_step_gives_new_ones(url):
    asked = rollouts(["\\boxed{2}", "\\boxed{3}"])
    first, again, later = grade(url, asked, 2), grade(url, asked, 2), grade(url, asked, 3)
    assert first == again
    assert {item.record_id for item in first}.isdisjoint(item.record_id for item in later)


def test_another_run_of_the_same_name_is_graded_afresh(url):
    asked = rollouts(["\\boxed{2}"])
    first, other = grade(url, asked, 5), grade(url, asked, 5, nonce="another run")
    assert first[0].record_id != other[0].record_id


def test_a_task_that_cannot_be_graded_is_named(url):
    with pytest.raises(InvalidTask, match="cannot grade task sum"):
        grade(url, rollouts(["2"], rubric="absent.v1"), step=4)


def test_a_service_that_cannot_start_says_why(tmp_path):
    config = tmp_path / "bad.toml"
    config.write_text("[nonsense]\nx = 1\n")
    with pytest.raises(ServerNotStarted, match="nonsense"), spawned_server(tmp_path / "data", config):
        sys.exit("must not come up")
