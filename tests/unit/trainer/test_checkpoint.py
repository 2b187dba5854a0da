import json

import pytest
import torch

from rewarders.errors import CheckpointMismatch, ConfigError
from trainer import checkpoint
from trainer.config import ModelSection, OptimSection, TrainConfig
from trainer.distributed.moments import load_moments
from trainer.export import export, model_directory, resolve_checkpoint
from trainer.models import load_policy
from trainer.optim import build_optimizer

CONFIG = {
    "run": {"dir": "runs/x", "steps": 10},
    "model": {"path": "m"},
    "data": {"tasks": "t"},
    "algorithm": {"name": "grpo"},
}


def identity(**sections):
    merged = {name: {**CONFIG.get(name, {}), **sections.get(name, {})} for name in CONFIG.keys() | sections.keys()}
    return checkpoint.identity_of(TrainConfig.model_validate(merged), {"data.tasks": "sha256:tasks"})


@pytest.fixture
def save(policy, tmp_path):
    optimizer = build_optimizer(policy.model, OptimSection(lr=0.1))
    policy.model(input_ids=torch.tensor([[1, 2]])).logits.sum().backward()
    optimizer.step()

    def at(step, keep=5):
        offsets = {"metrics.jsonl": 10 * step}
        args = {"step": step, "identity": identity(), "offsets": offsets, "keep": keep}
        return checkpoint.save(tmp_path / "checkpoints", policy, optimizer, **args)

    at.optimizer = optimizer
    return at


def test_a_checkpoint_comes_back_bit_for_bit(policy, save):
    path = save(3)
    found = checkpoint.latest(path.parent)
    loaded = load_policy(ModelSection(path="unused", device="cpu"), found.path)
    for name, weight in policy.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], weight), name
    optimizer = build_optimizer(loaded.model, OptimSection(lr=0.1))
    load_moments(found.path, optimizer)
    for index, moments in save.optimizer.state_dict()["state"].items():
        assert all(torch.equal(optimizer.state_dict()["state"][index][k], v) for k, v in moments.items())
    assert (found.step, found.offsets, found.identity) == (3, {"metrics.jsonl": 30}, identity())


def test_only_the_newest_are_kept(save):
    paths = [save(step, keep=2) for step in (1, 2, 3)]
    assert [path.exists() for path in paths] == [False, True, True]


def test_a_torn_checkpoint_is_not_kept_in_place_of_a_whole_one(save):
    early, torn = save(1), save(100)
    (torn / "state.json").unlink()
    late = save(2, keep=1)
    assert (early.exists(), late.exists(), checkpoint.latest(late.parent).path) == (False, True, late)


def test_checkpoints_are_ordered_by_step_and_not_by_name(save):
    save(999_999)
    newest = save(1_000_000, keep=1)
    assert checkpoint.latest(newest.parent).path == newest


@pytest.mark.parametrize("damage", ["truncate", "remove", "no state", "draft"])
def test_a_torn_checkpoint_is_passed_over(save, damage):
    whole, torn = save(1), save(2)
    if damage == "truncate":
        with (torn / "model.safetensors").open("r+b") as file:
            file.truncate(100)
    elif damage == "draft":
        torn.rename(torn.with_name(".draft-step-000002"))
    else:
        (torn / ("optimizer.pt" if damage == "remove" else "state.json")).unlink()
    assert checkpoint.latest(whole.parent).path == whole


def test_no_checkpoint_is_no_error(tmp_path):
    assert checkpoint.latest(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    "change",
    [
        {"run": {"steps": 99}},
        {"run": {"rollouts_kept": 0, "threads": 1}},
        {"eval": {"every_steps": 5}},
        {"checkpoint": {"keep": 9}},
        {"grading": {"url": "http://elsewhere"}},
        {"optim": {"micro_batch": 3}},
        {"data": {"tasks": "moved.jsonl"}},
    ],
)
def test_what_does_not_change_the_mathematics_may_differ(save, change):
    checkpoint.check_identity(checkpoint.read(save(1)), identity(**change))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"optim": {"lr": 0.5}}, "optim.lr was 1e-06 and is 0.5"),
        ({"algorithm": {"name": "rloo"}}, "algorithm.name was 'grpo' and is 'rloo'"),
        ({"sampling": {"temperature": 0.5}}, "sampling.temperature"),
        ({"run": {"seed": 1}}, "run.seed"),
        ({"model": {"path": "other"}}, "model.path"),
    ],
)
def test_what_changes_the_mathematics_is_refused_by_name(save, change, key):
    with pytest.raises(CheckpointMismatch, match=key):
        checkpoint.check_identity(checkpoint.read(save(1)), identity(**change))


def test_other_tasks_are_refused(save):
    found = checkpoint.read(save(1))
    with pytest.raises(CheckpointMismatch, match=r"data\.tasks"):
        checkpoint.check_identity(found, {**identity(), "data.tasks": "sha256:others"})


def test_an_export_is_the_model_without_the_trainers_files(save, tmp_path, policy):
    save(1)
    export(resolve_checkpoint(tmp_path), tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert not names & set(checkpoint.TRAINER_ONLY)
    loaded = load_policy(ModelSection(path=str(tmp_path / "out"), device="cpu"))
    assert torch.equal(loaded.model.lm_head.weight, policy.model.lm_head.weight)


def test_an_export_never_replaces_what_is_not_a_model(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="not a model directory"), model_directory(tmp_path):
        raise AssertionError("must be refused before anything is written")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_model_that_could_not_be_written_leaves_the_old_one(tmp_path):
    old = tmp_path / "model"
    old.mkdir()
    (old / "config.json").write_text(json.dumps({"old": True}))
    with pytest.raises(RuntimeError, match="disk"), model_directory(old):
        raise RuntimeError("disk full")
    assert json.loads((old / "config.json").read_text()) == {"old": True}


def test_a_directory_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no whole checkpoint"):
        resolve_checkpoint(tmp_path)
