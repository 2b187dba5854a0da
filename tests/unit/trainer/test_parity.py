"""Models that would be trained on other numbers than they are sampled with are refused, or made to agree."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, MistralConfig, MistralForCausalLM

from rewarders.errors import ConfigError
from trainer.config import ModelSection
from trainer.drawing import draw
from trainer.models import load_policy
from trainer.packed import ATTENTION
from trainer.samplers import SampleRequest
from trainer.samplers.hf import HfSampler


@pytest.fixture
def replaced(model_path: Path, tmp_path: Path):
    """The tiny model's directory with another model in it, its tokenizer kept."""

    def replace(model) -> Path:
        path = tmp_path / "model"
        shutil.copytree(model_path, path)
        model.save_pretrained(path)
        return path

    return replace


def load(path: Path):
    return load_policy(ModelSection(path=str(path), device="cpu"))


def test_a_configuration_that_asks_for_eager_attention_is_given_the_one_whose_masks_we_make(model_path, tmp_path):
    path = tmp_path / "eager"
    shutil.copytree(model_path, path)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "attn_implementation": "eager"}))
    assert load(path).model.config._attn_implementation == ATTENTION


def test_a_model_that_reads_our_masks_otherwise_is_refused(policy):
    from trainer.parity import refuse_unsupported

    policy.model.set_attn_implementation("eager")
    with pytest.raises(ConfigError, match="does not take packed rows"):
        refuse_unsupported(policy.model, "m")


def test_a_sliding_window_is_refused_although_the_layers_do_not_say_so(replaced):
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = MistralConfig(vocab_size=22, num_key_value_heads=2, sliding_window=8, **sizes)
    config.layer_types = None
    with pytest.raises(ConfigError, match="without full attention"):
        load(replaced(MistralForCausalLM(config)))


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_positions_that_change_with_the_length_of_a_sequence_are_refused(model_path, tmp_path, kind):
    path = tmp_path / "moving"
    shutil.copytree(model_path, path)
    config = json.loads((path / "config.json").read_text())
    factors = {"short_factor": [1.0] * 4, "long_factor": [2.0] * 4, "original_max_position_embeddings": 64}
    scaled = {"rope_theta": 1e4, "rope_type": kind, "factor": 2.0, **(factors if kind == "longrope" else {})}
    (path / "config.json").write_text(json.dumps({**config, "rope_parameters": scaled}))
    with pytest.raises(ConfigError, match=f"rotary positions of type {kind}"):
        load(path)


def test_a_completion_beyond_the_models_positions_is_an_error_that_names_the_task(replaced, make_task):
    config = GPT2Config(vocab_size=22, n_positions=16, n_embd=16, n_layer=1, n_head=2, eos_token_id=2)
    policy = load(replaced(GPT2LMHeadModel(config)))
    sampler = HfSampler(policy.model, stop_ids=policy.stop_ids)
    request = SampleRequest(group_size=2, max_new_tokens=14, temperature=1.0, seed="0", weight_version="0")
    with torch.inference_mode(), pytest.raises(ConfigError, match=r"task long: .*the 16 positions of the model"):
        draw(policy, sampler, [make_task("long")], request, max_prompt_tokens=64)


def test_a_damaged_weights_file_is_an_error_and_not_a_traceback(model_path, tmp_path):
    path = tmp_path / "damaged"
    shutil.copytree(model_path, path)
    (path / "model.safetensors").write_bytes(b"\x08")
    with pytest.raises(ConfigError, match=r"model\.path"):
        load(path)
