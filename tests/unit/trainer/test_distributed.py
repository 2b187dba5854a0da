"""What several ranks need, as far as one process can show it; tests/integration/test_ranks.py has the ranks."""

import json
import subprocess
import sys

import pytest
import torch
from typer.testing import CliRunner

from rewarders.errors import ConfigError, TrainingError
from trainer.cli import app
from trainer.detectors.alarms import Alarm, StoppedByDetector
from trainer.distributed.launching import become_torchrun, refuse_several, without_ranks
from trainer.distributed.leading import _rebuilt, announced, led
from trainer.distributed.ranks import any_rank, broadcast, count, gathered, leads, rank, summed
from trainer.distributed.section import DistributedSection
from trainer.distributed.sharding import is_sharded, mesh_of, shard, whole_parameters, within
from trainer.distributed.telling import told_elsewhere
from trainer.tally import Tally


def test_one_process_is_all_the_ranks_there_are():
    values = torch.tensor([1.0, 2.0])
    assert (count(), rank(), leads()) == (1, 0, True)
    assert (broadcast("told"), gathered("told"), any_rank(False)) == ("told", ["told"], False)
    assert summed(values) is values
    assert led(lambda: 3) == 3
    with announced("nobody listens"):
        pass


def test_one_process_keeps_its_model_as_it_is(policy):
    before = dict(policy.model.named_parameters())
    shard(policy.model, mesh_of(DistributedSection(), "cpu"), torch.float32)
    assert not is_sharded(policy.model)
    assert all(value.data_ptr() == before[name].data_ptr() for name, value in whole_parameters(policy.model))
    assert within(policy.model, lambda model, number: (model is policy.model, number), 2) == (True, 2)


def test_a_model_that_does_not_say_what_its_layers_are_is_not_sharded_as_one_piece(policy, monkeypatch):
    monkeypatch.setattr(type(policy.model), "_no_split_modules", None)
    policy.model._no_split_modules = None
    with pytest.raises(ConfigError, match="does not say what its layers are"):
        shard(policy.model, object(), torch.float32)


def test_of_an_adapted_model_only_the_adapter_is_gathered_where_nothing_else_is_sent(policy):
    from trainer.lora import add_adapter, of_adapter
    from trainer.lora_section import LoraSection

    add_adapter(policy.model, LoraSection(rank=2), 0)
    found = dict(whole_parameters(policy.model.requires_grad_(False), of_adapter))
    assert len(found) == 2 * 2 * 7
    assert all("lora_" in name for name in found)


def test_an_error_of_rank_0_is_the_same_error_elsewhere_and_is_told_there():
    alarm = Alarm(detector="d", figure=1.0, threshold=0.5, said="it did", action="stop")
    error = StoppedByDetector(3, alarm, done=2, lines=({"step": 3},))
    again = _rebuilt(type(error), error.args, dict(vars(error)))
    assert isinstance(again, StoppedByDetector)
    assert (str(again), again.hint, again.done, again.lines) == (str(error), error.hint, 2, ({"step": 3},))
    assert told_elsewhere(again)
    assert not told_elsewhere(error)


def test_what_ranks_saw_adds_up_to_what_one_would_have_seen():
    values = torch.tensor([0.5, 1.5, 4.0, -1.0])
    whole, parts = Tally(), [Tally(), Tally()]
    for tally, part in [(whole, values), *zip(parts, values.split(2), strict=True)]:
        tally.add("moved", part)
        tally.weigh("effective", part.abs())
        tally.largest_of("largest", part)
    parts[0].largest_of("largest", values[:0])
    together = Tally()
    for part in parts:
        together.take(part)
    assert together.summary() == whole.summary()
    assert together.mean("moved") == 1.25


@pytest.mark.parametrize("command", ["sft", "eval"])
def test_what_is_made_for_one_process_refuses_several(command, monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    answer = CliRunner().invoke(app, [command, "--config", str(tmp_path / "none.toml")])
    assert answer.exit_code == 2
    assert f"error on rank 1: trainer {command} runs in one process, and torchrun has started 2" in answer.stderr


def test_a_rank_does_not_become_torchrun(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    with pytest.raises(ConfigError, match="--processes 2"):
        become_torchrun(2, [])


def test_one_process_of_torchrun_is_like_one_without(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    refuse_several("trainer sft")


@pytest.mark.parametrize(
    ("ending", "status", "said"),
    [
        ("pass", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('a reason')", 1, "a reason"),
        ("raise ValueError('a fault')", 1, "ValueError: a fault"),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
        ("sys.stdout = open('/dev/full', 'w'); print('lost')", 120, ""),
    ],
)
def test_a_rank_ends_with_its_status_and_before_python_takes_itself_apart(ending, status, said):
    program = f"""if True:
        import atexit, sys
        from trainer.distributed.leaving import leaving

        class Kept:
            def __del__(self):
                print("taken apart", file=sys.stderr)

        kept = Kept()
        with leaving():
            atexit.register(print, "the last word")
            {ending}
    """
    for size, taken_apart in (("1", True), ("2", False)):
        environment = {"WORLD_SIZE": size, "PYTHONPATH": ":".join(sys.path)}
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
        assert ("taken apart" in ended.stderr) == taken_apart
        assert said in ended.stderr
        assert ended.stdout == ("the last word\n" if status != 120 else "")
    assert ended.returncode == status, ended.stderr


def test_a_program_that_a_rank_starts_does_not_take_itself_for_one():
    inherited = {"PATH": "/bin", "RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "1", "TORCHELASTIC_RUN_ID": "x"}
    assert without_ranks(inherited) == {"PATH": "/bin"}


def test_an_error_is_told_once_where_a_rank_has_told_it(monkeypatch, tmp_path):
    from trainer import cli
    from trainer.distributed.telling import mark_as_told

    error = TrainingError("it broke")
    mark_as_told(error)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "load_config", fail)
    answer = CliRunner().invoke(app, ["run", "--config", str(tmp_path / "run.toml")])
    assert (answer.exit_code, answer.stderr) == (1, "")


def test_the_ranks_of_a_run_are_no_part_of_what_a_checkpoint_must_agree_with(tmp_path):
    from trainer.checkpoint import identity_of
    from trainer.config import TrainConfig

    config = {
        "run": {"dir": str(tmp_path), "steps": 1},
        "model": {"path": "m"},
        "data": {"tasks": "t"},
        "algorithm": {"name": "grpo"},
    }
    here, there = (TrainConfig.model_validate({**config, "distributed": {"shard": kind}}) for kind in ("all", "host"))
    assert json.dumps(identity_of(here, {})) == json.dumps(identity_of(there, {}))
