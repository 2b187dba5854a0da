"""[sampler]: what draws the rollouts, and how the weights get there."""

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from trainer.section import NonNegative, Positive, PublicUrl, Section, Share

Seconds = Annotated[float, Field(gt=0)]
TransferKind = Literal["auto", "file", "shared_memory", "nccl", "ipc"]
Nats = Annotated[float, Field(gt=0)]

MAY_DIFFER: Final = (
    "urls", "spawn", "transfer", "checksum_every_steps", "concurrency", "timeout_s", "start_timeout_s", "memory_share",
    "eager", "sleep_level", "parity_prompts", "parity_float32", "parity_bfloat16",
)  # fmt: skip
"""Keys a resumed run may change: they move the same weights and draw the same rollouts by other means."""


class SamplerSection(Section):
    """[sampler]: what draws the rollouts."""

    kind: Literal["hf", "vllm_server", "vllm_colocated"] = "hf"
    """`hf` samples with the very model that is trained; `vllm_server` asks vLLM over HTTP; `vllm_colocated` runs vLLM's
    engine in this process. What vLLM kinds need, and how to start a server, is in docs/samplers.md."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision vLLM computes in, and the weights are sent in; `auto` is `model.dtype`."""
    urls: tuple[PublicUrl, ...] = ()
    """Base URLs of vLLM servers started by somebody else; prompts are spread over them."""
    spawn: NonNegative = 0
    """vLLM servers to start on this machine for this run alone, in place of `urls`."""
    transfer: TransferKind = "auto"
    """How weights reach a server. `auto` takes what the server was started for: NCCL or CUDA IPC if it names one of
    them, shared memory if it has the worker extension of this package and runs on this machine, a file otherwise."""
    checksum_every_steps: NonNegative = 10
    """Weight updates between two comparisons of checksums among the servers and with what was sent; 0 for none."""
    concurrency: Positive = 64
    """Completions asked for at once, over all servers."""
    timeout_s: Seconds = 600.0
    """Seconds to wait for one answer of a server."""
    start_timeout_s: Seconds = 600.0
    """Seconds a server of `spawn` may take until it answers."""
    memory_share: Share = 0.3
    """Share of the device's memory for vLLM, where the trainer starts it. On a CPU, VLLM_CPU_KVCACHE_SPACE decides."""
    eager: bool = False
    """No compilation and no graphs, where vLLM is started by the trainer: a quick start, slower sampling."""
    sleep_level: Literal[0, 1, 2] = 0
    """What `vllm_colocated` gives back while the trainer computes: 1 moves its weights to the host and drops its cache,
    2 drops both. Where the platform cannot, the trainer says so once."""
    parity_prompts: Annotated[int, Field(ge=0, le=256)] = 16
    """Prompts of the run's own that the sampler and the trainer are compared on before the first step; 0 for none."""
    parity_float32: Nats = 1e-4
    """Largest mean difference of a token's log-probabilities to train with, at temperature 1, where vLLM computes in
    float32. Below that temperature differences grow as probabilities are sharpened, and the bound with them."""
    parity_bfloat16: Nats = 0.0104
    """The same where vLLM computes in bfloat16."""

    @model_validator(mode="after")
    def _one_source_of_servers(self) -> "SamplerSection":
        if self.kind == "vllm_server" and bool(self.urls) == bool(self.spawn):
            raise ValueError("vllm_server needs either urls of running servers, or spawn = 1 or more")
        if self.kind != "vllm_server" and (self.urls or self.spawn):
            raise ValueError(f"urls and spawn are for vllm_server, and kind = {self.kind}")
        if self.kind == "hf" and self.dtype != "auto":
            raise ValueError('hf computes in model.dtype: set dtype = "auto"')
        strange = [url for url in self.urls if not url.startswith(("http://", "https://"))]
        if strange:
            raise ValueError(f"{strange[0]} is not an http:// or https:// URL")
        return self

    def parity_bound(self, dtype: str, temperature: float) -> float:
        """The bound for vLLM computing in `dtype`."""
        return (self.parity_float32 if dtype == "float32" else self.parity_bfloat16) / min(1.0, temperature)
