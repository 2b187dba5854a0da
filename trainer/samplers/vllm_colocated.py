"""Sampling with a vLLM engine in the trainer's own process, which gives its memory back while the trainer computes."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from rewarders.errors import TrainingError
from trainer.samplers import Sample, SampleRequest
from trainer.samplers.row_seeds import row_seed
from trainer.samplers.vllm_adapter import (
    CPU_ENVIRONMENT,
    can_sleep,
    engine_generation,
    engine_parameters,
    sampling_parameters,
    start_engine,
)
from trainer.samplers.vllm_server import checked_sample
from trainer.weights import wire_tensors
from trainer.weights.adapter import EngineAdapter


class VllmColocatedSampler:
    """One engine, one process: weights are handed over as tensors."""

    name = "the vLLM engine in this process"

    def __init__(
        self,
        arguments: Mapping[str, Any],
        *,
        stop_ids: Sequence[int],
        dtype: torch.dtype,
        sleep_level: int = 0,
        adapter: EngineAdapter | None = None,
    ) -> None:
        """Start an engine with these arguments of vLLM's `LLM`; `adapter` is how it is sent one in place of weights.

        Raises:
            ConfigError: as `start_engine`.
        """
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # otherwise the engine is in a process of its own
        for name, value in CPU_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._stop_ids, self._dtype = stop_ids, dtype
        self._sleep_level = _possible(sleep_level)
        self._asleep = False
        self._adapter = adapter
        self._model: Any = None
        self._engine = start_engine({**arguments, "enable_sleep_mode": self._sleep_level > 0})

    def sample(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> list[list[Sample]]:
        """`group_size` completions of each prompt, in the order of the prompts.

        Raises:
            WrongWeights: the engine has others than the request names.
        """
        self._wake(reload=self._sleep_level == 2)
        size = request.group_size
        rows = [(number, index) for number in range(len(prompts)) for index in range(size)]
        outputs = self._engine.generate(
            [{"prompt_token_ids": list(prompts[number])} for number, _ in rows],
            [
                engine_parameters(sampling_parameters(request, self._stop_ids, row_seed(request.seed, *row)))
                for row in rows
            ],
            use_tqdm=False,
            lora_request=self._adapter.request if self._adapter else None,
        )
        samples = [checked_sample(engine_generation(output), request, self.name) for output in outputs]
        self._sleep()
        return [samples[start : start + size] for start in range(0, len(samples), size)]

    def stream(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> Iterator[tuple[int, list[Sample]]]:
        """The same with the number of each prompt, all at the end. Raises as `sample`."""
        yield from enumerate(self.sample(prompts, request))

    def take_weights(self, model: Any, version: str) -> None:
        """Copy the weights of `model` into the engine.

        Raises:
            TrainingError: it does not take them.
        """
        self._model = model
        self._wake(reload=False)
        self._load()
        self._engine.update_weight_version(version)
        if not self._engine.reset_prefix_cache():
            raise TrainingError(f"{self.name} could not drop its prefix cache", hint="run again from the checkpoint")

    def call(self, method: str, **arguments: Any) -> list[Any]:
        """Run a method on every worker; see `trainer.weights.Engine`."""
        answers: list[Any] = self._engine.collective_rpc(method, kwargs=arguments)
        return answers

    def close(self) -> None:
        """Drop the engine and its memory."""
        if self._adapter:
            self._adapter.close()
        self._engine.llm_engine.engine_core.shutdown()

    def _load(self) -> None:
        try:
            if self._adapter:
                self._adapter.send(self._engine, self._model)
                return
            self.call("load_named_tensors", tensors=wire_tensors(self._model, self._dtype))
        except (KeyError, RuntimeError, ValueError, AssertionError) as error:
            raise TrainingError(
                f"{self.name} did not take the weights: {error}", hint="can vLLM serve models of this kind?"
            ) from error

    def _wake(self, *, reload: bool) -> None:
        if self._asleep:
            self._engine.wake_up()
            self._asleep = False
            if reload:
                self._load()

    def _sleep(self) -> None:
        if self._sleep_level:
            self._engine.sleep(self._sleep_level)
            self._asleep = True


def _possible(level: int) -> int:
    """The level, or 0 with one warning where the platform has no sleep."""
    if level and not can_sleep():
        warnings.warn(
            f"sampler.sleep_level = {level}: vLLM cannot sleep on this platform, and stays awake", stacklevel=2
        )
        return 0
    return level
