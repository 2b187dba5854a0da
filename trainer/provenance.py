"""What a run stands on, by digest: code, model, tokenizer, configuration."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import torch

from rewarders.digests import digest, digest_bytes
from trainer.config import TrainConfig
from trainer.models import Policy
from trainer.profile.peak import device_name

_PACKAGE = Path(__file__).parent


def provenance(config: TrainConfig, policy: Policy) -> dict[str, Any]:
    """Facts for the manifest. `model_weights` are those that the policy has now."""
    return {
        "config": digest(config.model_dump(mode="json")),
        "code": code_digest(),
        "commit": commit(),
        "seed": config.run.seed,
        "sampler": config.sampler.kind,
        "device": str(policy.device),
        "device_name": device_name(policy.device),
        "model_config": digest(policy.model.config.to_diff_dict()),
        "model_weights": weights_digest(policy.model),
        "tokenizer": tokenizer_digest(policy.tokenizer),
    }


def code_digest() -> str:
    """Content address of this package's source."""
    files = sorted(path for path in _PACKAGE.rglob("*") if path.suffix in (".py", ".toml"))
    return digest({str(path.relative_to(_PACKAGE)): digest_bytes(path.read_bytes()) for path in files})


def commit() -> str | None:
    """The commit that this package's source is a checkout of, with `+` where it was changed; None outside of one.

    An environment may lie within a checkout of something else: that commit says nothing about this package.
    """
    git = ["git", "-C", str(_PACKAGE)]
    ours = [*git, "ls-files", "--error-unmatch", "__init__.py"]
    try:
        subprocess.run(ours, capture_output=True, check=True, timeout=10)
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--", "."], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def weights_digest(model: Any) -> str:
    """Content address of every tensor a model saves, by name, shape, type and bytes."""
    whole = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        whole.update(json.dumps([name, list(tensor.shape), str(tensor.dtype)]).encode())
        whole.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return f"sha256:{whole.hexdigest()}"


def tokenizer_digest(tokenizer: Any) -> str:
    """Content address of what turns text into tokens: vocabulary and rules, chat template, special tokens."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = backend.to_str() if backend is not None else tokenizer.get_vocab()
    special = {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
    return digest({"rules": rules, "template": tokenizer.chat_template, "special": special})
