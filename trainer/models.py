"""Load policies and tokenizers, and refuse what the trainer would get wrong."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.utils.logging import disable_progress_bar

from rewarders.errors import ConfigError
from trainer.chat import set_template
from trainer.config import ModelSection
from trainer.layers import adapt_layers
from trainer.model_source import ModelFiles, chat_template, model_files
from trainer.packed import ATTENTION
from trainer.parity import refuse_unsupported

disable_progress_bar()  # loading takes a moment, and the bar breaks the lines a run prints


@dataclass(frozen=True, slots=True)
class Policy:
    """A model, its tokenizer and the tokens that end a completion."""

    model: Any
    tokenizer: Any
    stop_ids: tuple[int, ...]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device


def load_policy(config: ModelSection, path: Path | None = None) -> Policy:
    """Load the policy of the configuration, or the checkpoint at `path` in its place; on the device "meta", all of it
    but the weights.

    Raises:
        ConfigError: there is no such model, or it needs something the trainer does not do.
    """
    files = ModelFiles(str(path)) if path else model_files(config)
    device = resolve_device(config.device)
    read = empty_model if device.type == "meta" else _whole_model
    try:
        model = read(AutoModelForCausalLM, files, getattr(torch, config.dtype))
        tokenizer = AutoTokenizer.from_pretrained(files.path, revision=files.revision)
    except (OSError, ValueError, SafetensorError) as error:
        raise ConfigError(f"model.path = {files.path}: {first_line(error)}", hint=files.hint) from error
    set_template(tokenizer, chat_template(config), config.template_args)
    model.to(device).eval()  # no dropout: the sampler and the step must see one policy
    if device.type != "meta":
        own_memory(model)
        refuse_unsupported(model, files.path)
    learn_economically(model, config)
    return Policy(model, tokenizer, _stop_ids(model, tokenizer))


def _whole_model(kind: Any, files: ModelFiles, dtype: torch.dtype) -> Any:
    # The trainer's rows mean something else to other implementations of attention.
    return kind.from_pretrained(files.path, revision=files.revision, dtype=dtype, attn_implementation=ATTENTION)


def empty_model(kind: Any, files: ModelFiles, dtype: torch.dtype) -> Any:
    """The same model without weights, on the meta device: for a rank that is sent its share of them."""
    shape = AutoConfig.from_pretrained(files.path, revision=files.revision)
    with torch.device("meta"):
        model = kind.from_config(shape, dtype=dtype, attn_implementation=ATTENTION)
    if model.can_generate():
        with suppress(OSError):  # there is no such file: then it is made of the other, as `from_pretrained` does
            model.generation_config = GenerationConfig.from_pretrained(files.path, revision=files.revision)
    return model


def load_reference(config: ModelSection) -> nn.Module:
    """The model the run started from, frozen. Raises as `load_policy` does."""
    reference: nn.Module = load_policy(config).model
    return reference.requires_grad_(False)


def use_threads(count: int) -> None:
    """Give tensor arithmetic this many CPU threads; 0 leaves the choice to torch.

    Threads spin while they wait for one another: with other busy programs beside it, a small model is many times
    slower on two threads than on one.
    """
    if count:
        torch.set_num_threads(count)


def resolve_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one. Raises ConfigError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"model.device = {name}: {first_line(error)}") from error


def learn_economically(model: nn.Module, config: ModelSection) -> None:
    """What [model] says of the layers of the step.

    Raises:
        ConfigError: they cannot be found, or nothing can compile them.
    """
    if config.compile and resolve_device(config.device).type == "cpu" and not _compiler():
        raise ConfigError(
            "model.compile = true: there is no C++ compiler on this machine, which torch.compile needs on a CPU",
            hint="install g++ or clang++, name one in CXX, or set model.compile = false",
        )
    adapt_layers(model, recompute=config.activation_checkpointing, compiled=config.compile)


def _compiler() -> str | None:
    return next(filter(None, map(shutil.which, (os.environ.get("CXX", ""), "g++", "clang++"))), None)


def own_memory(model: nn.Module) -> None:
    """Move weights from the mapped file to aligned memory: kernels may round otherwise elsewhere."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)


def _stop_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """The model's own list, where it has one, and the tokenizer's end of sequence."""
    listed = model.generation_config.eos_token_id if model.generation_config is not None else None
    ids = listed if isinstance(listed, list) else [listed]
    stops = {int(token) for token in (*ids, tokenizer.eos_token_id) if token is not None}
    if not stops:
        raise ConfigError("the tokenizer names no end-of-sequence token, so no completion could ever stop")
    return tuple(sorted(stops))


def first_line(error: BaseException) -> str:
    """What an error says first, bounded: libraries add pages of advice."""
    return str(error).strip().split("\n", 1)[0][:300]
