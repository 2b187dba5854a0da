import json

import pytest
from typer.testing import CliRunner

from rewarders.errors import ConfigError
from trainer.cli import app
from trainer.config import TrainConfig
from trainer.cost import cost, given_speed, measured_speed
from trainer.plan import by_device, describe, plan_with_cost


@pytest.fixture
def config(tmp_path, model_path, make_task):
    tasks = [make_task(str(i), f"{i}+1=", split="test" if i > 5 else "train") for i in range(10)]
    (tmp_path / "tasks.jsonl").write_text("".join(task.model_dump_json(exclude_none=True) + "\n" for task in tasks))

    def make(**sections):
        given = {
            "run": {"dir": str(tmp_path / "run"), "steps": 10},
            "model": {"path": str(model_path)},
            "data": {"tasks": str(tmp_path / "tasks.jsonl")},
            "algorithm": {"name": "grpo"},
            "sampling": {"prompts_per_step": 2, "group_size": 4, "max_new_tokens": 50},
        }
        return TrainConfig.model_validate({**given, **sections})

    return make


@pytest.fixture
def past_run(tmp_path):
    """Five steps of 100 tokens: the first takes 9 s, the others 2 s."""
    folder = tmp_path / "past"
    folder.mkdir()
    figures = [{"step": step, "tokens": 100.0, "length_mean": 10.0} for step in range(1, 6)]
    times = [{"step": step, "step_s": 9.0 if step == 1 else 2.0} for step in range(1, 6)]
    for name, lines in (("metrics", [{"step": 0, "held_out/accuracy": 0.1}, *figures]), ("timings", times)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_a_given_speed_and_price_make_hours_and_money(config):
    speed = given_speed(config(), 100.0)
    found = cost(config(), speed, held_out_tasks=4, price_per_hour=3.6)
    assert found["new_tokens"] == 10 * 8 * 50
    assert found["hours"] == pytest.approx(4000 / 100 / 3600)
    assert found["money"] == pytest.approx(0.04)
    assert any("max_new_tokens = 50" in each for each in found["assumed"])


def test_evaluations_cost_too(config):
    judged = config(eval={"every_steps": 5, "limit": 3, "temperature": 1.0, "samples": 2})
    found = cost(judged, given_speed(judged, 1.0), held_out_tasks=4, price_per_hour=None)
    assert found["new_tokens"] == (80 + 3 * 3 * 2) * 50
    assert "money" not in found


def test_a_run_that_has_been_lends_its_speed_and_its_length_without_its_first_step(config, past_run):
    speed = measured_speed(past_run)
    assert (speed.tokens_per_second, speed.tokens_per_completion) == (50.0, 10.0)
    assert cost(config(), speed, held_out_tasks=0, price_per_hour=None)["new_tokens"] == 800


def test_a_run_too_short_to_measure_is_refused(past_run):
    (past_run / "timings.jsonl").write_text('{"step": 1, "step_s": 2.0}\n')
    with pytest.raises(ConfigError, match="fewer than two steps"):
        measured_speed(past_run)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"like": True, "tokens_per_second": 5.0}, "give one of them"),
        ({"price_per_hour": 2.0}, "says nothing without a speed"),
        ({"tokens_per_second": 0.0}, "must be above 0"),
        ({"tokens_per_second": float("nan")}, "must be above 0"),
    ],
)
def test_a_cost_that_cannot_be_told_is_asked_wrongly(config, past_run, asked, message):
    given = {"like": None, "tokens_per_second": None, "price_per_hour": None, **asked}
    if given["like"]:
        given["like"] = past_run
    with pytest.raises(ConfigError, match=message):
        plan_with_cost(config(), **given)


def test_without_a_speed_a_plan_names_no_hours(config):
    assert "cost" not in plan_with_cost(config(), like=None, tokens_per_second=None, price_per_hour=None)


def test_memory_is_told_by_device(config):
    found = plan_with_cost(config(), like=None, tokens_per_second=None, price_per_hour=None)
    assert found["device_bytes"] == {"trainer_and_sampler": found["memory_bytes"]["total"]}
    apart = config(sampler={"kind": "vllm_server", "spawn": 1})
    memory = {**found["memory_bytes"], "sampler_weights": 7}
    del memory["total"]
    devices = by_device(apart, memory)
    assert devices["sampler"] == 7 + memory["key_value_cache"]
    assert devices["trainer"] == sum(memory.values()) - devices["sampler"]


def test_a_critic_is_counted_with_its_optimiser(config):
    def memory(**sections):
        return plan_with_cost(config(**sections), like=None, tokens_per_second=None, price_per_hour=None)[
            "memory_bytes"
        ]

    assert memory()["critic"] == 0
    ppo = memory(algorithm={"name": "ppo"})
    assert ppo["critic"] == 4 * ppo["weights"]


def test_snapshots_are_counted_in_the_precision_they_are_computed_in(config):
    def memory(**model):
        chosen = {"pipeline": {"max_staleness": 1}, "correction": {"kind": "truncate"}}
        given = config(model={**config().model.model_dump(), **model}, **chosen)
        return plan_with_cost(given, like=None, tokens_per_second=None, price_per_hour=None)["memory_bytes"]

    assert memory(compute="bfloat16")["snapshots"] * 2 == memory()["snapshots"]


def test_a_plan_with_a_cost_reads_well(config, past_run):
    said = describe(plan_with_cost(config(), like=past_run, tokens_per_second=None, price_per_hour=2.0))
    assert "takes about" in said
    assert "assuming 50.0 new tokens a second" in said
    assert "memory key_value_cache" in said


def test_the_program_takes_a_speed_and_a_price(config, tmp_path, model_path):
    (tmp_path / "run.toml").write_text(
        f'[run]\ndir = "{tmp_path}/run"\nsteps = 1\n[model]\npath = "{model_path}"\n[data]\n'
        f'tasks = "{tmp_path}/tasks.jsonl"\n[algorithm]\nname = "grpo"\n'
    )
    config()
    asked = ["plan", "--config", str(tmp_path / "run.toml"), "--tokens-per-second", "10", "--price-per-hour", "2"]
    found = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["cost"]
    assert found["hours"] * 2 == pytest.approx(found["money"])
