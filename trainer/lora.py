"""Adapters: a policy whose own weights stay as they are, beside small matrices that learn (LoRA, arXiv 2106.09685).

The adapted layers take the places of the plain ones within the model, so that whatever computes with it, computes with
the adapter. Switched off, it is the model that the run started from: no second one is needed for a KL penalty.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from rewarders.errors import ConfigError
from trainer.lora_section import LoraSection

ADAPTER: Final = "adapter"
"""Directory of a checkpoint with the adapter, as peft writes one."""
_WEIGHTS: Final = "adapter_model.safetensors"
_NAME: Final = "default"
_OUTSIDE: Final = "base_model.model."
"""What peft puts before the name of every weight."""


def add_adapter(model: nn.Module, section: LoraSection, seed: int) -> None:
    """Freeze the model and add an adapter that changes nothing yet; its first matrices are drawn from the seed.

    Raises:
        ConfigError: peft is not installed, or a target is no linear layer of the model.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ConfigError(f"[lora] needs peft: {error}", hint="pip install 'assay[trainer]'") from error
    config = LoraConfig(
        r=section.rank,
        lora_alpha=section.alpha,
        use_rslora=section.rank_stabilised,
        target_modules=list(section.targets) or "all-linear",
        bias="none",
    )
    _refuse_unfit(model, section)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(config, model, _NAME)
    model.eval()


def _refuse_unfit(model: Any, section: LoraSection) -> None:
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    for target in section.targets:
        found = [module for name, module in model.named_modules() if name.split(".")[-1] == target]
        linear = [one for one in found if _is_matrix(one) and not any(one is end for end in ends)]
        if not found or linear != found:
            why = "no layer of the model has that name" if not found else "it is no linear layer between the embeddings"
            names = {name.split(".")[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
            raise ConfigError(f"lora.targets: {target}: {why}", hint=f"there are {', '.join(sorted(names))}")


def _is_matrix(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.dim() == 2


def adapted_layers(model: nn.Module) -> dict[str, Any]:
    """The layers that have an adapter, by name; none where there is no adapter."""
    return {name: module for name, module in model.named_modules() if hasattr(module, "lora_A")}


@contextmanager
def switched_off(model: nn.Module) -> Iterator[nn.Module]:
    """The model without its adapter, while the block lasts. Raises TypeError where it has none."""
    layers = adapted_layers(model).values()
    if not layers:
        raise TypeError("a model without an adapter is not what it was before")
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield model
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def merged(named: Iterable[tuple[str, Tensor]], model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters of a model by name, as they would be without an adapter that computes the same.

    Args:
        named: whole parameters in the model's order: of an adapted layer its own weight, then the two that adapt it.
        model: says which layers are adapted. Without an adapter everything passes as it is.
    """
    layers = adapted_layers(model)
    waiting: dict[str, Tensor] = {}
    for name, value in named:
        layer, kind = _split(name, layers)
        if kind == "lora_B":
            own, down = waiting.pop("base"), waiting.pop("lora_A")
            yield f"{layer}.weight", _sum(own, down, value, layers[layer])
        elif kind in ("base", "lora_A"):
            waiting[kind] = value
        else:
            yield f"{layer}.{kind}" if layer else kind, value


def merged_shapes(model: nn.Module) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of what `merged` gives of a model."""
    layers = adapted_layers(model)
    for name, value in model.named_parameters():
        layer, kind = _split(name, layers)
        if kind == "base":
            yield f"{layer}.weight", tuple(value.shape)
        elif kind not in ("lora_A", "lora_B"):
            yield f"{layer}.{kind}" if layer else kind, tuple(value.shape)


def _split(name: str, layers: dict[str, Any]) -> tuple[str, str]:
    """The adapted layer that a parameter belongs to, and what it is there; an empty one, and the name."""
    for mark, kind in ((".base_layer.weight", "base"), (".lora_A.", "lora_A"), (".lora_B.", "lora_B")):
        layer, found, _ = name.partition(mark)
        if found and layer in layers:
            return layer, kind
    layer, found, rest = name.partition(".base_layer.")
    return (layer, rest) if found and layer in layers else ("", name)


def _sum(own: Tensor, down: Tensor, up: Tensor, layer: Any) -> Tensor:
    """In float32 at least, rounded once to the precision of the layer's own weight."""
    added = (up.float() @ down.float()) * layer.scaling[_NAME]
    if getattr(layer, "fan_in_fan_out", False):
        added = added.T
    return (own.to(torch.promote_types(own.dtype, torch.float32)) + added.to(own.device)).to(own.dtype)


def of_adapter(name: str) -> bool:
    """Whether a parameter is the adapter's own, by its name."""
    return ".lora_A." in name or ".lora_B." in name


def adapter_tensors(named: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """The adapter's own among a model's parameters, in peft's names."""
    found = {}
    for name, value in named:
        if of_adapter(name):
            found[_OUTSIDE + name.replace(f".{_NAME}.", ".")] = value.detach().cpu().contiguous()
    return found


def write_adapter(directory: Path, tensors: dict[str, Tensor], model: Any) -> None:
    """Write an adapter as peft does, so that peft and vLLM can read it."""
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    save_file(tensors, directory / _WEIGHTS, metadata={"format": "pt"})
    config = model.peft_config[_NAME].to_dict()
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    (directory / "adapter_config.json").write_text(json.dumps(plain, indent=1, default=str), "utf-8")


def read_adapter(directory: Path, model: nn.Module) -> None:
    """Take up an adapter of the same shape. Raises ConfigError where it has another."""
    from safetensors.torch import load_file

    known = load_file(directory / _WEIGHTS)
    own = {_OUTSIDE + name.replace(f".{_NAME}.", "."): weight for name, weight in model.named_parameters()}
    shapes = [{name: each.shape for name, each in some.items() if of_adapter(name)} for some in (known, own)]
    if shapes[0] != shapes[1]:
        raise ConfigError(
            f"{directory} has another shape than [lora] says", hint="give lora.rank and lora.targets of it"
        )
    with torch.no_grad():
        for name, value in known.items():
            own[name].copy_(value)
