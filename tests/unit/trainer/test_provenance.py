import re
import subprocess

import torch

from trainer.config import TrainConfig
from trainer.provenance import code_digest, commit, provenance, tokenizer_digest, weights_digest

SHA = re.compile(r"sha256:[0-9a-f]{64}")


def config(**run):
    given = {"run": {"dir": "x", "steps": 1, **run}, "model": {"path": "m"}, "data": {"tasks": "t"}}
    return TrainConfig.model_validate({**given, "algorithm": {"name": "grpo"}})


def test_every_digest_is_in_the_manifest(policy):
    found = provenance(config(seed=4), policy)
    assert all(SHA.fullmatch(found[name]) for name in ("config", "code", "model_config", "model_weights", "tokenizer"))
    assert (found["seed"], found["sampler"]) == (4, "hf")


def test_the_same_things_have_the_same_digest_and_others_another(policy):
    before = provenance(config(), policy)
    assert provenance(config(), policy) == before
    assert provenance(config(seed=1), policy)["config"] != before["config"]


def test_one_changed_weight_changes_the_digest(policy):
    before = weights_digest(policy.model)
    with torch.no_grad():
        next(policy.model.parameters()).view(-1)[0] += 1e-6
    assert weights_digest(policy.model) != before
    assert SHA.fullmatch(weights_digest(policy.model.to(torch.bfloat16)))


def test_another_chat_template_is_another_tokenizer(policy):
    before = tokenizer_digest(policy.tokenizer)
    policy.tokenizer.chat_template += " "
    assert tokenizer_digest(policy.tokenizer) != before


def test_the_commit_around_an_environment_is_not_this_package_s(tmp_path, monkeypatch):
    package = tmp_path / "venv/trainer"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setattr("trainer.provenance._PACKAGE", package)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "somebody else's"], check=True)
    assert commit() is None
    subprocess.run([*git, "add", "venv"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "ours"], check=True)
    assert re.fullmatch(r"[0-9a-f]{40}", commit() or "")


def test_the_code_has_a_digest_with_and_without_git(monkeypatch):
    assert SHA.fullmatch(code_digest())
    assert commit() is None or re.fullmatch(r"[0-9a-f]{40}\+?", commit())
    monkeypatch.setenv("PATH", "/nowhere")
    assert commit() is None
