import json

import pytest

from rewarders.errors import ConfigError
from trainer.config import EvalSection, OptimSection, Section, SftConfig, TrainConfig
from trainer.config_file import load_config
from trainer.optim import schedule

MINIMAL = """
[run]
dir = "runs/first"
steps = 10
[model]
path = "somewhere"
[data]
tasks = "tasks.jsonl"
[algorithm]
name = "grpo"
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(MINIMAL)
    return file


def test_a_run_is_named_after_its_directory(path):
    assert load_config(TrainConfig, path).run.id == "first"


def test_flags_win_over_the_file(path):
    config = load_config(TrainConfig, path, ["optim.lr=1e-3", "model.path=a/b c", "algorithm.name=rloo"])
    assert (config.optim.lr, config.model.path, config.algorithm.name) == (1e-3, "a/b c", "rloo")


def test_flags_reach_into_a_list_by_place(path):
    path.write_text(MINIMAL.replace('tasks = "tasks.jsonl"', 'sources = [{kind = "jsonl", name = "a", path = "a"}]'))
    config = load_config(TrainConfig, path, ["data.sources.0.path=b", "data.sources.0.weight=2"])
    assert (str(config.data.sources[0].path), config.data.sources[0].weight) == ("b", 2.0)
    for wrong in ("data.sources.1.path=b", "data.sources.x.path=b", "data.sources.-1=b"):
        with pytest.raises(ConfigError, match="is none of the places 0 to 0"):
            load_config(TrainConfig, path, [wrong])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.lrr=1", r"run\.toml: optim\.lrr = 1: Extra"),
        ("sampling.group_size=1", r"run\.toml: sampling\.group_size = 1: grpo compares the completions"),
        ("algorithm.name=pp", r"algorithm"),
        ("critic.lr=1e-4", r"\[critic\] is for ppo; algorithm\.name = grpo"),
        ("algorithm.kl_target=6", r"kl_target needs a beta above 0"),
        ("algorithm.target_kl=0.1", r"there is only one"),
        ("ptx.batch=4", r"\[ptx\] without ptx\.conversations adds nothing"),
        ("sampler.dtype=bfloat16", r"hf computes in model\.dtype"),
        ("grading.url=http://user:secret@h", r"grading\.url = .*no place in a URL"),
        ("sampling.top_p=0.9", r"sampling\.top_p = 0\.9: Extra"),
        ("eval.samples=4", r"several greedy samples"),
        ("lr=1", "not of the form section.key=value"),
        ("run.steps.x=1", "steps is a value, not a section"),
    ],
)
def test_a_wrong_option_is_named_with_its_value(path, override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(TrainConfig, path, [override])


SERVED = ["lora.rank=4", "sampler.kind=vllm_server", "sampler.spawn=1"]


def test_an_adapter_is_not_taken_away_from_completions_that_are_under_way(path):
    pipelined = ["pipeline.max_staleness=1", "pipeline.update=keep", "correction.kind=truncate"]
    load_config(TrainConfig, path, [*SERVED, *pipelined])
    with pytest.raises(ConfigError, match=r'pipeline\.update = "keep" .* lora\.sync = "adapter"'):
        load_config(TrainConfig, path, [*SERVED, *pipelined, "lora.sync=adapter"])


@pytest.mark.parametrize("coarse", ["model.compute=bfloat16", "model.dtype=bfloat16", "sampler.dtype=bfloat16"])
def test_vllm_samples_from_weights_merged_in_bfloat16_only_where_that_is_corrected(path, coarse):
    load_config(TrainConfig, path, SERVED)
    with pytest.raises(ConfigError, match=r'lora\.sync = "merged" rounds what the adapter adds'):
        load_config(TrainConfig, path, [*SERVED, coarse])
    for mended in ("lora.sync=adapter", "correction.kind=mask"):
        load_config(TrainConfig, path, [*SERVED, coarse, mended])
    load_config(TrainConfig, path, ["lora.rank=4", "model.compute=bfloat16"])


@pytest.mark.parametrize(
    ("name", "option"), [("rloo", "clip_low"), ("rloo", "epochs"), ("dr_grpo", "std_eps"), ("grpo", "unknown")]
)
def test_an_option_of_another_algorithm_is_an_error(path, name, option):
    with pytest.raises(ConfigError, match=rf"algorithm\.{name}\.{option}"):
        load_config(TrainConfig, path, [f"algorithm.name={name}", f"algorithm.{option}=0.1"])


def test_a_file_that_is_not_there_or_not_toml_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*absent\.toml"):
        load_config(TrainConfig, tmp_path / "absent.toml")
    (tmp_path / "odd.toml").write_text("[run\n")
    with pytest.raises(ConfigError, match=r"odd\.toml is not valid TOML"):
        load_config(TrainConfig, tmp_path / "odd.toml")


def test_a_missing_option_is_named(path):
    path.write_text(MINIMAL.replace('path = "somewhere"', ""))
    with pytest.raises(ConfigError, match=r"run\.toml: model\.path is missing"):
        load_config(TrainConfig, path)


def test_the_resolved_configuration_reads_back_as_itself(path):
    config = load_config(TrainConfig, path)
    assert TrainConfig.model_validate(json.loads(config.model_dump_json())) == config


def sections(model):
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from sections(kind)
        elif name != "algorithm":
            yield model, name, field


@pytest.mark.parametrize("program", [TrainConfig, SftConfig])
def test_every_option_is_explained(program):
    assert [f"{model.__name__}.{name}" for model, name, field in sections(program) if not field.description] == []


def test_the_learning_rate_warms_up_then_decays_to_its_floor():
    config = OptimSection(lr=1.0, warmup_steps=4, decay_until_step=10, final_lr_share=0.25)
    assert [schedule(config, step) for step in (1, 4, 7, 10, 50)] == [0.25, 1.0, 0.625, 0.25, 0.25]
    assert schedule(OptimSection(), 10**6) == 1.0


def test_greedy_evaluation_takes_one_sample():
    assert EvalSection(temperature=0.5, samples=4).samples == 4
