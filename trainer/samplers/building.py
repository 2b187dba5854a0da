"""From the configuration to a sampler, and back to nothing when the run is over."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import torch

from rewarders.errors import ConfigError
from trainer.config import TrainConfig
from trainer.distributed.ranks import count, leads
from trainer.model_source import model_files
from trainer.models import Policy
from trainer.samplers import Sampler
from trainer.samplers.gathered import GatheredSampler, Share, whole_copy
from trainer.samplers.hf import HfSampler
from trainer.samplers.replica import Replica
from trainer.samplers.section import TransferKind
from trainer.samplers.sending import SendingSampler
from trainer.samplers.spawning import spawned_vllm
from trainer.samplers.vllm_adapter import WORKER_EXTENSION, ServerFacts, refuse_unfit, room_for, serve_arguments
from trainer.samplers.vllm_colocated import VllmColocatedSampler
from trainer.samplers.vllm_server import VllmServerSampler
from trainer.weights import Engine, WeightTransfer
from trainer.weights.adapter import SERVED_AS, AdapterTransfer, EngineAdapter
from trainer.weights.device import DeviceTransfer
from trainer.weights.files import FileTransfer, SharedMemoryTransfer

_HERE = {"127.0.0.1", "localhost", "::1"}


@contextmanager
def built_sampler(config: TrainConfig, policy: Policy) -> Iterator[Sampler]:
    """The sampler of the configuration. It has no weights of the run before `take_weights`.

    Raises:
        ConfigError: something it needs is not installed, not running or not fit for training.
    """
    match config.sampler.kind:
        case "hf" if count() > 1:
            with GatheredSampler(Share(_own(whole_copy(config), config))).helping() as gathered:
                yield gathered
        case "hf":
            yield _own(policy, config)
        case "vllm_colocated" if count() > 1:
            raise ConfigError(
                f"sampler.kind = vllm_colocated is for one process, and there are {count()} ranks",
                hint='take sampler.kind = "vllm_server"; rank 0 sends the weights',
            )
        case "vllm_server" if not leads():
            yield SendingSampler(None)
        case "vllm_colocated":
            colocated = _colocated(config, policy)
            try:
                yield colocated
            finally:
                colocated.close()
        case "vllm_server":
            with server_urls(config, policy) as urls:
                served = _served(config, policy, urls)
                try:
                    yield SendingSampler(served) if count() > 1 else served
                finally:
                    served.close()


def _own(policy: Policy, config: TrainConfig) -> HfSampler:
    return HfSampler(policy.model, stop_ids=policy.stop_ids, rows_at_once=config.sampling.rows_at_once)


def sampler_dtype(config: TrainConfig) -> str:
    """Name of the precision the sampler computes in."""
    if config.sampler.kind == "hf" or config.sampler.dtype == "auto":
        return config.model.arithmetic
    return config.sampler.dtype


def _most_tokens(config: TrainConfig) -> int:
    return config.sampling.max_prompt_tokens + config.sampling.max_new_tokens


def _colocated(config: TrainConfig, policy: Policy) -> VllmColocatedSampler:
    dtype = getattr(torch, sampler_dtype(config))
    arguments = engine_arguments(config, policy)
    level = config.sampler.sleep_level
    adapter = EngineAdapter(config.run.dir / "weights", dtype) if config.lora.sync == "adapter" else None
    return VllmColocatedSampler(arguments, stop_ids=policy.stop_ids, dtype=dtype, sleep_level=level, adapter=adapter)


def engine_arguments(config: TrainConfig, policy: Policy) -> dict[str, Any]:
    """What the engine in this process is started with."""
    chosen, files = config.sampler, model_files(config.model)
    return {
        "model": files.path,
        "revision": files.revision,
        "dtype": sampler_dtype(config),
        "max_model_len": _room(config, policy),
        "enforce_eager": chosen.eager,
        "gpu_memory_utilization": chosen.memory_share,
        "max_num_seqs": config.sampling.rows_at_once,
        "seed": 0,  # every row has its own
        **({"enable_lora": True, "max_lora_rank": room_for(config.lora.rank)} if config.lora.sync == "adapter" else {}),
    }


@contextmanager
def server_urls(config: TrainConfig, policy: Policy) -> Iterator[Sequence[str]]:
    """Where the servers are: those of the configuration, or some that are started and last as long as the block.

    Raises:
        ConfigError: see `spawned_vllm`.
    """
    chosen = config.sampler
    if not chosen.spawn:
        yield chosen.urls
        return
    files = model_files(config.model)
    arguments = serve_arguments(
        model=files.path,
        revision=files.revision,
        dtype=sampler_dtype(config),
        max_tokens=_room(config, policy),
        memory_share=chosen.memory_share,
        eager=chosen.eager,
        transfer=chosen.transfer,
        adapter_rank=config.lora.rank if config.lora.sync == "adapter" else 0,
    )
    with spawned_vllm(
        chosen.spawn,
        arguments,
        logs=config.run.dir / "vllm",
        on_cpu=policy.device.type == "cpu",
        start_timeout_s=chosen.start_timeout_s,
    ) as urls:
        yield urls


def _room(config: TrainConfig, policy: Policy) -> int:
    """Tokens a sequence may have: as configured, and no more than the model has positions."""
    positions = getattr(policy.model.config, "max_position_embeddings", None)
    return min(_most_tokens(config), positions or _most_tokens(config))


def _served(config: TrainConfig, policy: Policy, urls: Sequence[str]) -> VllmServerSampler:
    chosen, dtype = config.sampler, getattr(torch, sampler_dtype(config))
    with ExitStack() as on_failure:
        known = []
        for url in urls:
            replica = Replica(url, timeout_s=chosen.timeout_s, connections=chosen.concurrency + 1)
            on_failure.callback(replica.close)
            facts = replica.facts()
            refuse_unfit(facts, replica.name, dtype=sampler_dtype(config), max_tokens=_room(config, policy))
            known.append((replica, facts if config.lora.sync == "merged" else _with_adapter(facts, replica.name)))
        threads = ThreadPoolExecutor(max(chosen.concurrency, len(urls)), thread_name_prefix="vllm")
        control = ThreadPoolExecutor(len(urls), thread_name_prefix="vllm-control")
        transfer = _transfer(config, known, dtype, control)
        on_failure.pop_all()
    return VllmServerSampler(
        known,
        transfer,
        stop_ids=policy.stop_ids,
        dtype=dtype,
        threads=threads,
        checksum_every=chosen.checksum_every_steps,
        control=control,
        keeps=config.pipeline.update == "keep",
    )


def _with_adapter(facts: ServerFacts, url: str) -> ServerFacts:
    """What is asked for by the adapter's name."""
    if not facts.takes_adapters:
        raise ConfigError(
            f'lora.sync = "adapter": {url} loads no adapters',
            hint="start it with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, or take sync = 'merged'",
        )
    return replace(facts, model=SERVED_AS)


def _transfer(
    config: TrainConfig, known: Sequence[tuple[Replica, ServerFacts]], dtype: torch.dtype, threads: ThreadPoolExecutor
) -> WeightTransfer:
    kind, facts = config.sampler.transfer, [each for _, each in known]
    engines = [replica for replica, _ in known]
    extended = all(each.extended for each in facts)
    if config.lora.sync == "adapter":
        return AdapterTransfer(
            engines, config.run.dir / "weights", dtype, lambda call, each: list(threads.map(call, each))
        )
    if kind == "auto":
        kind = transfer_for(facts, [engine.name for engine in engines])
    if kind in ("nccl", "ipc"):
        return DeviceTransfer(kind, engines, dtype, timeout_s=config.sampler.timeout_s)
    if not extended and (kind == "shared_memory" or any(each.on_cpu for each in facts)):
        raise ConfigError(
            f"sampler.transfer = {kind}: not every server has the workers it needs, on this device",
            hint=f"install this package there too, and start them with --worker-extension-cls {WORKER_EXTENSION}",
        )

    def on_each(call: Callable[[Engine], Any], each: Sequence[Engine]) -> list[Any]:
        return list(threads.map(call, each))

    if kind == "shared_memory":
        return SharedMemoryTransfer(engines, dtype, on_each)
    return FileTransfer(engines, config.run.dir / "weights", dtype, on_each, extended=extended)


def transfer_for(facts: Sequence[ServerFacts], urls: Sequence[str]) -> TransferKind:
    """What `sampler.transfer = "auto"` means for these servers."""
    for backend in ("nccl", "ipc"):
        if all(each.backend == backend for each in facts):
            return backend
    here = all(urlsplit(url).hostname in _HERE for url in urls)
    return "shared_memory" if here and all(each.extended for each in facts) else "file"
