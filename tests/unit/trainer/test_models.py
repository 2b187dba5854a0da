import json
import shutil
import sys

import pytest

from rewarders.errors import ConfigError
from trainer.config import CriticSection, ModelSection
from trainer.critic import load_value_model
from trainer.model_source import template_digest
from trainer.models import load_policy


def test_a_model_of_modelscope_is_the_directory_its_library_downloads(model_path, monkeypatch):
    hub = pytest.importorskip("modelscope.hub.snapshot_download", reason="needs the extra `modelscope`")
    asked = []

    def download(name, revision=None):
        asked.append((name, revision))
        return str(model_path)

    monkeypatch.setattr(hub, "snapshot_download", download)
    found = load_policy(ModelSection(path="some/model", source="modelscope", revision="v1", device="cpu"))
    assert asked == [("some/model", "v1")]
    assert found.tokenizer.eos_token == "<|end|>"


def test_a_directory_is_loaded_without_modelscopes_library(model_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "modelscope.hub.snapshot_download", None)
    assert load_policy(ModelSection(path=str(model_path), source="modelscope", device="cpu")).stop_ids


def test_modelscopes_library_is_named_with_its_extra_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "modelscope.hub.snapshot_download", None)
    with pytest.raises(ConfigError, match="modelscope") as caught:
        load_policy(ModelSection(path="some/model", source="modelscope"))
    assert "[modelscope]" in caught.value.hint


def test_a_hub_that_cannot_be_reached_is_said_with_what_to_do(monkeypatch):
    hub = pytest.importorskip("modelscope.hub.snapshot_download", reason="needs the extra `modelscope`")

    def unreachable(name, revision=None):
        raise ConnectionError("Connection failed\nand much more")

    monkeypatch.setattr(hub, "snapshot_download", unreachable)
    with pytest.raises(
        ConfigError, match=r"model\.path = some/model, source = modelscope: Connection failed$"
    ) as caught:
        load_policy(ModelSection(path="some/model", source="modelscope"))
    assert "offline" in caught.value.hint


@pytest.mark.parametrize("spoil", ["config.json", "model.safetensors"])
def test_a_directory_that_is_no_model_is_named(tmp_path, spoil):
    (tmp_path / spoil).write_text("{}")
    with pytest.raises(ConfigError, match=str(tmp_path)) as caught:
        load_policy(ModelSection(path=str(tmp_path), device="cpu"))
    assert "save_pretrained" in caught.value.hint


def test_template_and_variables_of_the_configuration_reach_the_tokenizer(model_path, tmp_path):
    (tmp_path / "t.jinja").write_text("{% if brief %}b{% endif %}{{ messages[0].content }}")
    section = ModelSection(
        path=str(model_path), device="cpu", chat_template=tmp_path / "t.jinja", template_args={"brief": True}
    )
    tokenizer = load_policy(section).tokenizer
    chat = [{"role": "user", "content": "1+1="}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == "b1+1="
    assert ModelSection.model_validate(json.loads(section.model_dump_json())) == section


def test_a_template_goes_by_what_is_in_its_file(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path, text in zip(paths, "xxy", strict=True):
        path.write_text(text)
    first, same, other = (template_digest(ModelSection(path="m", chat_template=path)) for path in paths)
    assert first == same != other
    assert template_digest(ModelSection(path="m")) == {}
    with pytest.raises(ConfigError, match=r"model\.chat_template = .*absent"):
        template_digest(ModelSection(path="m", chat_template=tmp_path / "absent"))


def tensors(model):
    return {name: (value.shape, value.dtype) for name, value in (*model.named_parameters(), *model.named_buffers())}


def test_a_rank_that_is_sent_its_weights_builds_the_same_model_without_a_file_of_them(model_path, tmp_path):
    whole = load_policy(ModelSection(path=str(model_path), device="cpu"))
    path = shutil.copytree(model_path, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    (path / "generation_config.json").write_text('{"eos_token_id": [1, 2]}')
    empty = load_policy(ModelSection(path=str(path), device="meta"))
    assert tensors(empty.model) == tensors(whole.model)
    assert all(value.is_meta for value in (*empty.model.parameters(), *empty.model.buffers()))
    assert empty.model.lm_head.weight is empty.model.get_input_embeddings().weight
    assert (whole.stop_ids, empty.stop_ids) == ((2,), (1, 2))


@pytest.mark.parametrize("init", ["policy", "reward model"])
def test_a_critic_without_weights_is_the_same_model(model_path, tmp_path, init):
    section = ModelSection(path=str(model_path), device="cpu")
    policy = load_policy(section).model
    whole = load_value_model(CriticSection(), section, policy)
    whole.save_pretrained(tmp_path)
    chosen = CriticSection(init="policy" if init == "policy" else str(tmp_path))
    empty = load_value_model(chosen, section, policy.to("meta"))
    assert tensors(empty) == tensors(whole)
    assert all(value.is_meta for value in empty.parameters())
    assert not any(value.is_meta for value in whole.parameters())
