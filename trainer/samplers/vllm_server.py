"""Sampling from vLLM servers over HTTP, and keeping all of them at the same weights."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from functools import partial
from itertools import product
from typing import Any

import torch

from rewarders.errors import ConfigError, TrainingError
from rewarders.types import FinishReason
from trainer.samplers import Sample, SampleRequest
from trainer.samplers.replica import Replica, ServerLost
from trainer.samplers.row_seeds import row_seed
from trainer.samplers.vllm_adapter import (
    Generation,
    ServerFacts,
    generation_request,
    parse_generation,
    sampling_parameters,
)
from trainer.weights import WeightTransfer, norm_digests

_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of no bytes: what vLLM reports for a weight that it keeps repacked elsewhere, as it does on CPUs."""


class WrongWeights(TrainingError):
    """A server sampled with, or holds, other weights than it was sent."""


class VllmServerSampler:
    """Spreads prompts over servers. A completion is a function of weights, prompt and seed, whoever makes it."""

    def __init__(
        self,
        replicas: Sequence[tuple[Replica, ServerFacts]],
        transfer: WeightTransfer,
        *,
        stop_ids: Sequence[int],
        dtype: torch.dtype,
        threads: ThreadPoolExecutor,
        checksum_every: int = 0,
        keeps: bool = False,
        control: ThreadPoolExecutor | None = None,
    ) -> None:
        """Ask these servers.

        With `keeps`, completions that are under way when new weights come go on with them; `sample` and `take_weights`
        may then be called from several threads. Otherwise nothing may be.

        Raises:
            ConfigError: with `keeps`, a server does not say which weights made a token.
        """
        self._replicas, self._transfer, self._threads = replicas, transfer, threads
        self._stop_ids, self._dtype, self._checksum_every = stop_ids, dtype, checksum_every
        # Apart from completions: those of a server that is paused hold their threads until it goes on.
        self._control = control or ThreadPoolExecutor(len(replicas), thread_name_prefix="vllm-control")
        self._updates, self._keeps, self._names = 0, keeps, set[str]()
        silent = [replica.name for replica, facts in replicas if not facts.generates_tokens]
        if keeps and silent:
            raise ConfigError(
                f'pipeline.update = "keep": {silent[0]} does not say which weights made a token',
                hint="start it with --enable-scale-out, or set pipeline.update = 'wait'",
            )

    def sample(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> list[list[Sample]]:
        """`group_size` completions of each prompt, in the order of the prompts.

        Raises:
            ServerLost: a server cannot be reached or fails.
            WrongWeights: a completion was made with other weights than the request names.
        """

        return [samples for _, samples in sorted(self.stream(prompts, request), key=lambda found: found[0])]

    def stream(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> Iterator[tuple[int, list[Sample]]]:
        """Number of a prompt and its completions, once the last of them has come. Raises as `sample`."""
        asked = {
            self._threads.submit(self._complete, number, index, prompts[number], request): number
            for number, index in product(range(len(prompts)), range(request.group_size))
        }
        groups: dict[int, list[Future[Sample]]] = {}
        for completion, number in asked.items():
            groups.setdefault(number, []).append(completion)
        missing = dict.fromkeys(groups, request.group_size)
        try:
            for completion in as_completed(asked):
                completion.result()
                number = asked[completion]
                missing[number] -= 1
                if not missing[number]:
                    self._refuse_silent_change(request.weight_version)
                    yield number, [one.result() for one in groups[number]]
        finally:
            for completion in asked:
                completion.cancel()

    def take_weights(self, model: Any, version: str) -> None:
        """Stop the servers, give them the weights under the name `version`, and let them go on.

        Raises:
            TrainingError: one did not take them. Training cannot go on, and can be resumed from its last checkpoint.
        """
        self._updates += 1
        checked = self._checksum_every > 0 and self._updates % self._checksum_every == 1 % self._checksum_every
        try:
            # What runs before the first update was asked for by a trainer that is gone.
            mode = "keep" if self._keeps and self._updates > 1 else "abort"
            self._each(lambda replica: replica.post(f"/pause?mode={mode}"))
            self._name_weights(f"unfinished {version}")  # what a failure leaves must not pass for the old ones
            self._transfer.send(model, checked=checked)
            if checked:
                self._compare_checksums(model)
            self._each(partial(_forget, running=self._keeps))
            self._name_weights(version)
            self._names.add(version)
        except TrainingError:
            with suppress(ServerLost):
                self._each(lambda replica: replica.post("/resume"))
            raise
        self._each(lambda replica: replica.post("/resume"))

    def close(self) -> None:
        """Leave the servers running, and nothing else."""
        self._threads.shutdown(cancel_futures=True)
        self._control.shutdown(cancel_futures=True)
        self._transfer.close()
        for replica, _ in self._replicas:
            replica.close()

    def _complete(self, prompt_number: int, index: int, prompt: Sequence[int], request: SampleRequest) -> Sample:
        replica, facts = self._replicas[prompt_number % len(self._replicas)]  # a group shares its prompt's cache
        seed = row_seed(request.seed, prompt_number, index)
        path, body = generation_request(facts, prompt, sampling_parameters(request, self._stop_ids, seed))
        answer = replica.post(path, body)
        try:
            generation = parse_generation(answer)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ServerLost(
                f"{replica.name}{path} answered something else than a completion: {answer!r:.300}",
                hint=f"vLLM {facts.version} may have renamed something, or have been interrupted; its log says more",
            ) from error
        return checked_sample(generation, request, replica.name, self._names if self._keeps else ())

    def _refuse_silent_change(self, version: str) -> None:
        """Completions of the older route do not name their weights; the server does."""
        for replica, facts in self._replicas:
            if not facts.generates_tokens and (held := replica.weight_version()) != version:
                raise WrongWeights(f"{replica.name} holds {held!r} and was asked for {version!r}", hint=_ALONE)

    def _name_weights(self, version: str) -> None:
        self._each(lambda replica: replica.post("/update_weight_version", {"new_version": version}))

    def _compare_checksums(self, model: Any) -> None:
        """All servers against one another, and norms against what was sent."""
        able = [replica for replica, facts in self._replicas if facts.checks_weights]
        found = list(self._control.map(lambda replica: _known(replica.checksums()), able))
        for replica, sums in zip(able[1:], found[1:], strict=True):
            if sums != found[0]:
                named = sorted(name for name in sums.keys() | found[0].keys() if sums.get(name) != found[0].get(name))
                raise WrongWeights(f"{replica.name} and {able[0].name} hold different {named[0]}", hint=_ANEW)
        sent = norm_digests(model, self._dtype)
        for replica, sums in zip(able, found, strict=True):
            wrong = [name for name, held in sums.items() if sent.get(name.rpartition(":")[2], held) != held]
            if wrong:
                raise WrongWeights(f"{replica.name} holds another {wrong[0]} than it was sent", hint=_ANEW)

    def _each(self, call: Callable[[Replica], Any]) -> None:
        """Call all servers at once, and wait for all of them before any error is raised."""
        calls = [self._control.submit(call, replica) for replica, _ in self._replicas]
        errors = [done.exception() for done in calls]
        for error in filter(None, errors):
            raise error


def checked_sample(generation: Generation, request: SampleRequest, name: str, others: Collection[str] = ()) -> Sample:
    """A completion of the weights that were asked for, or of `others`. It bears the name of those that began it, which
    are its oldest.

    Raises:
        WrongWeights: it was made with others.
        ServerLost: it was cut off, or its log-probabilities are not one number a token.
    """
    if generation.versions is not None and set(generation.versions) - {request.weight_version, *others}:
        raise WrongWeights(
            f"{name} sampled with {' and '.join(map(repr, generation.versions))} and was asked for "
            f"{request.weight_version!r}",
            hint=_ALONE,
        )
    count = len(generation.tokens)
    if generation.finish_reason == FinishReason.ABORT or not count or len(generation.logprobs) != count:
        raise ServerLost(
            f"{name} ended a completion with {generation.finish_reason}, after {count} tokens and "
            f"{len(generation.logprobs)} log-probabilities",
            hint=_ALONE,
        )
    if not all(map(math.isfinite, generation.logprobs)):
        raise ServerLost(f"{name} reported a log-probability that is no finite number", hint=_ANEW)
    version = generation.versions[0] if generation.versions else request.weight_version
    return Sample(generation.tokens, generation.logprobs, generation.finish_reason, version)


_ALONE = "does another run use this server? give each run its own, then run again from the last checkpoint"
_ANEW = "start the servers anew, then run again from the last checkpoint"


def _known(checksums: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in checksums.items() if value != _OF_NOTHING}


def _forget(replica: Replica, *, running: bool) -> None:
    """Keys and values of the old weights must not meet the new ones: prefixes are dropped, and what is under way is
    computed again, its tokens staying as they are."""
    answer = replica.post(f"/reset_prefix_cache?reset_running_requests={str(running).lower()}")
    if isinstance(answer, dict) and answer.get("success") is False:
        raise ServerLost(f"{replica.name} could not drop its prefix cache", hint=_ANEW)
