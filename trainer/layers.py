"""What a model's layers do otherwise while they learn: forget what the backward pass can compute again, run compiled.

Only a forward pass over a packed row is changed. The sampler calls the same layers with a cache, and must see them as
they are.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from rewarders.errors import ConfigError

Forward = Callable[..., Any]


def adapt_layers(model: nn.Module, *, recompute: bool, compiled: bool) -> None:
    """Change the layers' class, so that copies of the model, its shards and its names stay what they would be.

    Args:
        model: a transformers model.
        recompute: keep only what goes into each layer, and compute the rest again in the backward pass (arXiv
            1604.06174).
        compiled: run each layer through torch.compile, attention excepted, which follows the lengths of a row.

    Raises:
        ConfigError: the model does not say what its layers are.
    """
    if not (recompute or compiled):
        return
    names = set(getattr(model, "_no_split_modules", None) or ())
    layers = [module for module in model.modules() if type(module).__name__ in names]
    if not layers:
        raise ConfigError(
            f"{type(model).__name__} does not say what its layers are",
            hint="set model.activation_checkpointing and model.compile to false",
        )
    adapted: dict[type[nn.Module], type[nn.Module]] = {}
    for layer in layers:
        kind = type(layer)
        if kind not in adapted:
            adapted[kind] = _adapted(kind, recompute=recompute, compiled=compiled)
        layer.__class__ = adapted[kind]


def _adapted(kind: type[nn.Module], *, recompute: bool, compiled: bool) -> type[nn.Module]:
    plain: Forward = kind.forward
    learning: Forward = torch.compile(plain, dynamic=True) if compiled else plain

    def forward(self: Any, *args: Any, **options: Any) -> Any:
        if options.get("packed") is None:
            return plain(self, *args, **options)
        if not (recompute and torch.is_grad_enabled()):
            return learning(self, *args, **options)
        return checkpoint(learning, self, *args, use_reentrant=False, preserve_rng_state=False, **options)

    return type(kind.__name__, (kind,), {"forward": forward})
