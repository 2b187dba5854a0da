import io
import json
import math
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from pydantic import TypeAdapter
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

from env_server.schemas import ScoredItem, Status
from rewarders.errors import ConfigError
from rewarders.types import FinishReason
from trainer.algorithms import AlgorithmSection
from trainer.cli import app
from trainer.config import TrainConfig
from trainer.profile.figures import figures
from trainer.profile.flops import Shape, forward_flops, shape_of, step_flops, texts_work, work
from trainer.profile.measuring import profile_run, profile_steps
from trainer.profile.peak import Peak, known_peak, measured_peak
from trainer.profile.showing import draw, show
from trainer.rollouts import Rollout
from trainer.samplers import Sample


def rollout(make_task, group, prompt, length):
    sample = Sample((7,) * length, (-1.0,) * length, FinishReason.STOP, "0")
    return Rollout(make_task(), (6,) * prompt, group, 0, sample, "")


AMOUNTS = {
    f"{of}_{part}": amount
    for of in ("sampled", "compared", "learnt")
    for part, amount in (("tokens", 5.0), ("predicted", 3.0), ("pairs", 7.0))
}


def config(model_path, **algorithm):
    return TrainConfig.model_validate(
        {
            "run": {"dir": "x", "steps": 3, "id": "r", "threads": 1},
            "model": {"path": str(model_path), "device": "cpu"},
            "data": {"tasks": "t"},
            "algorithm": {"name": "grpo", **algorithm},
        }
    )


@pytest.fixture
def run(tmp_path, model_path):
    """Three steps: sampling takes half of the time, and more of the first."""
    (tmp_path / "config.json").write_text(config(model_path).model_dump_json())
    amounts = {"sampled_tokens": 100.0, "sampled_predicted": 80.0, "sampled_pairs": 900.0}
    amounts |= {name.replace("sampled", "learnt"): value / 2 for name, value in amounts.items()}
    with (tmp_path / "timings.jsonl").open("w") as timings, (tmp_path / "metrics.jsonl").open("w") as metrics:
        for step in (1, 2, 3):
            phases = {
                "phase/sampling_s": 1.0 if step > 1 else 9.0,
                "phase/backward_s": 0.5,
                "background/grading_s": 3.0,
            }
            line = {"step": step, "whole_s": 2.0 if step > 1 else 10.0, "peak_memory_bytes": 1e9, **phases, **amounts}
            timings.write(json.dumps(line) + "\n")
            metrics.write(json.dumps({"step": step, "tokens": 80.0}) + "\n")
    return tmp_path


def test_the_formula_is_what_torch_counts_in_the_matrix_products_of_a_pass(policy, make_task):
    length = 12
    shape = shape_of(policy.model)
    policy.model.set_attn_implementation("eager")  # torch does not count fused attention on a CPU
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        policy.model(input_ids=torch.full((1, length), 7))
    attended = {
        "x_tokens": length,
        "x_predicted": length,
        "x_pairs": length * length,
    }  # the kernel does the whole square
    assert forward_flops(shape, attended, "x") == counter.get_total_flops()


def learning(**algorithm):
    return TypeAdapter(AlgorithmSection).validate_python({"name": "grpo", **algorithm})


def test_a_prompt_counts_once_for_its_group_and_each_token_attends_to_what_came_before(make_task):
    found = work([rollout(make_task, 0, 3, 2), rollout(make_task, 0, 3, 4)], [1.0, 0.0], [True, True], learning())
    assert found["sampled_tokens"] == 3 + 2 + 4
    assert found["sampled_predicted"] == 6
    assert found["sampled_pairs"] == (1 + 2 + 3) + (4 + 5) + (4 + 5 + 6 + 7)
    assert found["learnt_tokens"] == 3 + 2


@pytest.mark.parametrize("gain", [0.0, math.nan])
def test_what_was_not_learnt_from_is_no_work_of_learning(make_task, gain):
    found = work([rollout(make_task, 0, 3, 2)], [gain], [True], learning())
    assert found["learnt_tokens"] == found["learnt_pairs"] == 0
    assert found["sampled_tokens"] == 5


def test_a_penalty_learns_from_rows_without_advantage_but_not_from_what_is_absent(make_task):
    rows = [rollout(make_task, group, 3, 2) for group in range(3)]
    found = work(rows, [0.0, math.nan, 0.0], [True, True, False], learning(beta=0.1))
    assert found["learnt_tokens"] == found["compared_tokens"] == 5
    assert found["sampled_tokens"] == 15


def test_a_masked_completion_is_compared_and_not_learnt_from(make_task):
    cut_off = rollout(make_task, 0, 3, 2)
    cut_off = replace(cut_off, sample=replace(cut_off.sample, finish_reason=FinishReason.LENGTH))
    found = work([cut_off], [1.0], [True], learning(mask_truncated=True))
    assert (found["compared_tokens"], found["learnt_tokens"]) == (5, 0)


@pytest.mark.parametrize(
    ("algorithm", "passes"),
    [
        ({}, 3),
        ({"beta": 0.1}, 4),
        ({"epochs": 2}, 1 + 6),
        ({"beta": 0.1, "epochs": 2}, 2 + 6),
        ({"beta": 0.1, "kl_target": 1.0}, 2 + 3),
        ({"name": "rloo", "beta": 0.1, "kl_in": "reward", "kl": "k1"}, 2 + 3),
        ({"epochs": 4, "minibatches": 2, "target_kl": 0.1}, 1 + 3 * 3 / 2),
    ],
)
def test_learning_is_a_pass_for_each_comparison_and_three_an_epoch(algorithm, passes):
    stepped = 3.0 if "target_kl" in algorithm else None
    found = step_flops(Shape(10, 4, 1, 2), AMOUNTS, learning(**algorithm), stepped=stepped)
    assert found["learning"] == passes * found["sampling"]


@pytest.mark.parametrize(("stepped", "epochs"), [(2.0, 2), (0.0, 0)])
def test_a_critic_has_no_vocabulary_and_goes_on_learning_while_the_policy_waits_for_it(stepped, epochs):
    shape = Shape(10, 4, 1, 2)
    found = step_flops(shape, AMOUNTS, learning(name="ppo", epochs=2), stepped=stepped)
    critic = forward_flops(replace(shape, head=0), AMOUNTS, "sampled")
    assert found["learning"] == (1 + 3 * epochs) * found["sampling"] + (1 + 3 * 2) * critic


def test_an_adapter_spares_the_way_back_into_the_weights_it_leaves():
    whole = step_flops(Shape(10, 4, 1, 2), AMOUNTS, learning())["learning"]
    adapter = step_flops(Shape(10, 4, 1, 2), AMOUNTS, learning(), adapter=True)["learning"]
    assert whole - adapter == 2 * 10 * 5 + 2 * 4 * 3


def test_texts_beside_the_rewards_are_learnt_from_too():
    texts = texts_work([[False, False, True, True]])
    assert texts == {"texts_tokens": 3.0, "texts_predicted": 2.0, "texts_pairs": 6.0}
    with_texts, without = (step_flops(Shape(10, 4, 1, 2), known, learning()) for known in (AMOUNTS | texts, AMOUNTS))
    assert with_texts["learning"] - without["learning"] == 3 * (2 * 10 * 3 + 2 * 4 * 2 + 4 * 2 * 6)


def test_the_first_step_is_left_out_and_shares_and_rates_are_of_the_rest(run):
    found = figures(run, Shape(1000, 100, 1, 8), Peak(1e6, "as given"))
    assert [step["step"] for step in found["steps"]] == [2, 3]
    mean = found["mean"]
    assert mean["phases_s"]["sampling"] == 1.0
    assert mean["phases_s"]["rest"] == pytest.approx(0.5)
    assert mean["beside_s"] == {"grading": 3.0}
    assert mean["tokens_per_second"] == 40.0
    sampling = 2 * 1000 * 100 + 2 * 100 * 80 + 4 * 8 * 900
    assert mean["flops"] == {"sampling": sampling, "learning": 3 * sampling / 2}
    assert mean["mfu"]["step"] == pytest.approx(2.5 * sampling / 2.0 / 1e6)
    assert mean["mfu"]["learning"] == pytest.approx(1.5 * sampling / 0.5 / 1e6)


def test_a_run_from_before_there_were_phases_shows_its_three_parts(run):
    line = {"step": 2, "sample_s": 1.0, "grade_s": 0.5, "train_s": 2.0, "step_s": 3.6, "whole_s": 4.0}
    (run / "timings.jsonl").write_text("".join(json.dumps({**line, "step": step}) + "\n" for step in (1, 2)))
    found = figures(run, None, None)["mean"]["phases_s"]
    assert found == {"sampling": 1.0, "grading": 0.5, "learning": 2.0, "rest": 0.5}


def test_a_run_of_one_step_is_refused(run):
    (run / "timings.jsonl").write_text('{"step": 1, "whole_s": 1.0}\n')
    with pytest.raises(ConfigError, match="fewer than two steps"):
        figures(run, None, None)


def test_a_directory_that_is_no_run_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["profile", str(tmp_path)])
    assert done.exit_code == 2
    assert "config.json" in done.output


@pytest.mark.parametrize(("name", "begins"), [("p.png", b"\x89PNG"), ("p.svg", b"<?xml")])
def test_a_run_directory_is_read_and_drawn(run, name, begins):
    picture = run / name
    done = CliRunner().invoke(app, ["profile", str(run), "--picture", str(picture), "--peak-tflops", "1", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["peak"] == {"flops": 1e12, "source": "as given"}
    assert picture.read_bytes().startswith(begins)


def test_a_picture_of_another_kind_is_refused(run):
    with pytest.raises(ConfigError, match="not supported"):
        draw(figures(run, None, None), run / "p.docx")


def test_the_table_names_every_phase_and_its_share(run):
    console = Console(record=True, width=100, file=io.StringIO())
    show(figures(run, Shape(1000, 100, 1, 8), Peak(1e6, "as given")), console)
    text = console.export_text()
    assert "50.0%" in text
    assert "new tokens a second" in text
    assert "954 MiB" in text


def test_peaks_are_those_of_the_data_sheet_or_measured():
    assert known_peak("NVIDIA H200", "bfloat16").flops == 989e12
    assert known_peak("NVIDIA H100 PCIe", "bfloat16").flops == 756e12
    assert known_peak("NVIDIA H100 80GB HBM3", "bfloat16").flops == 989e12
    assert known_peak("NVIDIA H100 NVL", "bfloat16").flops == 835e12
    assert known_peak("NVIDIA A100-SXM4-80GB", "bfloat16").flops == 312e12
    assert known_peak("NVIDIA L4", "bfloat16").flops == 121e12
    assert known_peak("NVIDIA L40", "bfloat16").flops == 181e12
    assert known_peak("NVIDIA H200", "float32") is None
    for unknown in ("cpu", "NVIDIA A10G", "NVIDIA GH200 480GB", "NVIDIA A100-SXM4-40GB MIG 1g.5gb"):
        assert known_peak(unknown, "bfloat16") is None
    assert measured_peak(torch.device("cpu"), "float32").flops > 1e8


def test_the_peak_is_of_the_precision_that_is_computed_in_and_of_all_ranks(run, model_path):
    wanted = config(model_path)
    model = wanted.model.model_copy(update={"compute": "bfloat16"})
    (run / "config.json").write_text(wanted.model_copy(update={"model": model}).model_dump_json())
    (run / "manifest.json").write_text('{"device_name": "NVIDIA H200", "ranks": 4}')
    found = profile_run(run, None)
    assert found["peak"] == {"flops": 4 * 989e12, "source": "4 ranks, of each: data sheet of NVIDIA H200, bfloat16"}
    assert profile_run(run, 1e12)["peak"]["flops"] == 1e12


def test_a_run_of_dapo_is_read_whose_buffer_is_longer_than_usual_completions(run, model_path):
    wanted = config(model_path).model_dump(mode="json")
    wanted |= {"algorithm": {"name": "dapo", "overlong_buffer": 300}}
    wanted["sampling"] |= {"max_new_tokens": 1000}
    (run / "config.json").write_text(json.dumps(wanted))
    assert profile_run(run, 1e12)["mean"]["mfu"]["step"] > 0


class LengthGrader:
    def grade(self, rollouts, run):
        return [
            ScoredItem(status=Status.SCORED, task_id=rollout.task.id, reward=float(len(rollout.sample.tokens)))
            for rollout in rollouts
        ]


def test_some_steps_are_run_and_told_and_leave_nothing_behind(tmp_path, model_path):
    tasks = [{"id": str(i), "prompt": [{"role": "user", "content": f"{i}+1="}], "rubric": "r"} for i in range(4)]
    (tmp_path / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    wanted = TrainConfig.model_validate(
        {
            "run": {"dir": tmp_path / "runs" / "mine", "steps": 50, "threads": 1},
            "model": {"path": str(model_path), "device": "cpu"},
            "data": {"tasks": tmp_path / "tasks.jsonl"},
            "sampling": {"prompts_per_step": 2, "group_size": 4, "max_new_tokens": 8},
            "eval": {"every_steps": 1},
            "algorithm": {"name": "grpo"},
        }
    )
    seen = []

    def graders(config):
        seen.append(config)
        return nullcontext(LengthGrader())

    found = profile_steps(wanted, 2, graders, Console(quiet=True), None)
    assert [step["step"] for step in found["steps"]] == [2, 3]
    mean = found["mean"]
    assert all(mean["phases_s"][name] > 0 for name in ("sampling", "grading", "log_probs", "backward", "optimiser"))
    assert sum(mean["phases_s"].values()) == pytest.approx(mean["whole_s"], rel=0.05)
    assert 0 < mean["mfu"]["step"] < 1
    assert mean["flops"]["learning"] > 0
    assert seen[0].run.dir != wanted.run.dir
    assert seen[0].eval.every_steps == 0
    assert list((tmp_path / "runs").iterdir()) == []
