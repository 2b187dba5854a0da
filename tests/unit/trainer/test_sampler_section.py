"""[sampler] says what it is about, and what it cannot be."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rewarders.errors import ConfigError
from trainer.checkpoint import identity_of
from trainer.config import TrainConfig
from trainer.models import Policy
from trainer.samplers.building import built_sampler, engine_arguments, sampler_dtype
from trainer.samplers.hf import HfSampler
from trainer.samplers.section import MAY_DIFFER, SamplerSection
from trainer.samplers.spawning import spawned_vllm


def config(run_dir: Path, **sampler: Any) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "run": {"dir": run_dir, "steps": 1},
            "model": {"path": "m", "device": "cpu"},
            "data": {"tasks": "t.jsonl"},
            "algorithm": {"name": "grpo"},
            "sampler": sampler,
        }
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "vllm_server"}, "either urls of running servers, or spawn"),
        ({"kind": "vllm_server", "urls": ("http://a",), "spawn": 1}, "either urls of running servers, or spawn"),
        ({"kind": "hf", "spawn": 1}, "urls and spawn are for vllm_server, and kind = hf"),
        ({"kind": "vllm_colocated", "urls": ("http://a",)}, "urls and spawn are for vllm_server"),
        ({"kind": "vllm_server", "urls": ("localhost:8000",)}, "localhost:8000 is not an http"),
        ({"sleep_level": 3}, "sleep_level"),
    ],
)
def test_what_cannot_be_meant_is_refused(keys: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        SamplerSection.model_validate(keys)


def test_only_what_decides_the_draws_has_to_stay_the_same_when_a_run_goes_on(tmp_path: Path):
    kept = {key for key in identity_of(config(tmp_path), {}) if key.startswith("sampler.")}
    assert kept == {"sampler.kind", "sampler.dtype"}
    assert set(MAY_DIFFER) <= SamplerSection.model_fields.keys()


def test_the_bound_grows_as_the_temperature_sharpens():
    section = SamplerSection()
    assert section.parity_bound("bfloat16", 1.0) == section.parity_bound("bfloat16", 2.0) == 0.0104
    assert section.parity_bound("float32", 0.5) == 2e-4


def test_a_sampler_computes_in_the_precision_of_the_model_unless_told(tmp_path: Path):
    assert sampler_dtype(config(tmp_path)) == "float32"
    served = config(tmp_path, kind="vllm_server", spawn=1, dtype="bfloat16")
    assert sampler_dtype(served) == "bfloat16"


def test_vllm_loads_the_files_that_the_trainer_loads(tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch):
    """Another revision, or another hub's model of that name, may have another shape."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m").mkdir()
    for model, path, revision in (
        ({"path": "me/m", "revision": "abc123"}, "me/m", "abc123"),
        ({"path": "~/m"}, str(tmp_path / "m"), None),
    ):
        chosen = config(tmp_path, kind="vllm_colocated").model_dump() | {"model": model}
        arguments = engine_arguments(TrainConfig.model_validate(chosen), policy)
        assert (arguments["model"], arguments["revision"]) == (path, revision)


def test_the_default_samples_with_the_model_itself(tmp_path: Path, policy: Policy):
    with built_sampler(config(tmp_path), policy) as sampler:
        assert isinstance(sampler, HfSampler)
        assert sampler.model is policy.model
        sampler.take_weights(policy.model, "step-0")


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
@pytest.mark.parametrize("sampler", [{"kind": "vllm_colocated"}, {"kind": "vllm_server", "spawn": 1}], ids=str)
def test_vllm_that_is_not_installed_is_named_with_its_extra(tmp_path: Path, policy: Policy, sampler: dict[str, Any]):
    with pytest.raises(ConfigError, match="vLLM, which") as raised, built_sampler(config(tmp_path, **sampler), policy):
        pass
    assert "assay[vllm]" in raised.value.hint


def test_a_server_that_ends_at_once_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trainer.samplers.spawning.find_spec", lambda _: None)
    with (
        pytest.raises(ConfigError, match="not installed"),
        spawned_vllm(1, [], logs=tmp_path, on_cpu=True, start_timeout_s=5),
    ):
        pass
    monkeypatch.setattr("trainer.samplers.spawning.find_spec", lambda _: object())
    monkeypatch.setattr("trainer.samplers.spawning.SERVER_MODULE", "no_such_module_at_all")
    (tmp_path / "vllm-0.log").write_text("why the last one ended\n")
    with (
        pytest.raises(ConfigError, match=r"ended with status 1: .*no_such_module_at_all") as raised,
        spawned_vllm(1, [], logs=tmp_path, on_cpu=True, start_timeout_s=30),
    ):
        pass
    assert str(tmp_path / "vllm-0.log") in raised.value.hint
    assert (tmp_path / "vllm-0.log.before").read_text() == "why the last one ended\n"
