"""verl's custom reward function: it runs in verl's reward workers and asks the reward service.

    reward.custom_reward_function.path=pkg://env_server.dialects.verl
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.url=http://127.0.0.1:8080
    +reward.custom_reward_function.reward_kwargs.rubric=math.v1

verl has no word for `unscored`, and takes the keys of a batch from its first sample: every sample has the same ones.
Its manager `rate_limited` makes a reward of 0 of whatever raises: do not use it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from env_server.client import AsyncRewardClient
from env_server.dialects.patience import PATIENT
from env_server.dialects.translation import contributions, fault_of, item_of, label_of, plain
from env_server.schemas import Item, Run, ScoredItem
from rewarders.errors import RewarderFault

_AT_ONCE = 32
"""Requests of one worker under way; the others wait where no clock runs."""


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    url: str,
    rubric: str | Mapping[str, str],
    components: Sequence[str] = (),
    unscored: float | None = None,
    json_labels: bool = False,
    run: str | None = None,
    **_: Any,
) -> dict[str, float]:
    """What one sample is worth: `score`, `unscored` (0 or 1), and one key for each of `components`.

    Args:
        data_source: the sample's; chooses among the rubrics where there are several.
        solution_str: what the model wrote.
        ground_truth: the label: the reference's `answer`, or the reference itself if it is an object.
        extra_info: its `question`, if there is one, is recorded as the prompt.
        url: where the reward service listens.
        rubric: its name, or one for each data source.
        components: rewarders whose contribution is wanted as a key, as for GDPO; 0 where the rubric has no such one.
        unscored: the score of a completion that the service failed to score. None, as it is unless you choose a number,
            raises and so stops the run.
        json_labels: labels that are text spell JSON, objects for instance.
        run: name of the run, for the service's ledger.
        _: what else verl passes.

    Raises:
        RewarderFault: the completion was left unscored, and there is no number for that.
        InvalidTask, ServiceUnreachable, RequestRefused: see `Patience.score`.
    """
    item = _item(data_source, solution_str, ground_truth, extra_info, rubric, json_labels)
    asking = _asking()
    async with asking.turns:
        (scored,) = await PATIENT.score(asking.client(url), [item], Run(id=run) if run else None)
    return _worth(scored, components, unscored)


def compute_scores(
    data_sources: Sequence[str],
    solution_strs: Sequence[str],
    ground_truths: Sequence[Any],
    extra_infos: Sequence[Mapping[str, Any] | None] | None = None,
    *,
    url: str,
    rubric: str | Mapping[str, str],
    components: Sequence[str] = (),
    unscored: float | None = None,
    json_labels: bool = False,
    run: str | None = None,
    **_: Any,
) -> list[dict[str, float]]:
    """The same for the `batch` reward manager, in one request. Arguments and errors as `compute_score`."""
    extras = extra_infos if extra_infos is not None else [None] * len(data_sources)
    samples = zip(data_sources, solution_strs, ground_truths, extras, strict=True)
    items = [_item(*sample, rubric, json_labels) for sample in samples]

    async def ask() -> list[ScoredItem]:
        async with PATIENT.client(url) as client:
            return await PATIENT.score(client, items, Run(id=run) if run else None)

    return [_worth(scored, components, unscored) for scored in asyncio.run(ask())]


@dataclass(frozen=True)
class _Asking:
    """One event loop's connections, and whose turn it is."""

    turns: asyncio.Semaphore
    clients: dict[str, AsyncRewardClient]

    def client(self, url: str) -> AsyncRewardClient:
        if url not in self.clients:
            self.clients[url] = PATIENT.client(url)
        return self.clients[url]


_ASKING: WeakKeyDictionary[asyncio.AbstractEventLoop, _Asking] = WeakKeyDictionary()
"""verl calls a function and never says when it is done, so connections last as long as the loop they belong to."""


def _asking() -> _Asking:
    loop = asyncio.get_running_loop()
    if loop not in _ASKING:
        _ASKING[loop] = _Asking(asyncio.Semaphore(_AT_ONCE), {})
    return _ASKING[loop]


async def disconnect() -> None:
    """Close the connections of the running event loop."""
    asking = _ASKING.pop(asyncio.get_running_loop(), None)
    for client in asking.clients.values() if asking else ():
        await client.close()


def _item(
    data_source: str,
    solution: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None,
    rubric: str | Mapping[str, str],
    json_labels: bool,
) -> Item:
    name = rubric if isinstance(rubric, str) else rubric[data_source]
    question = plain((extra_info or {}).get("question"))
    label = label_of(plain(ground_truth), json_labels)
    return Item.model_validate(item_of(name, question, {"text": solution}, label, str(data_source)))


def _worth(item: ScoredItem, components: Sequence[str], unscored: float | None) -> dict[str, float]:
    reward = item.reward
    if reward is None:
        if unscored is None:
            raise RewarderFault(
                f"a completion was left unscored, and that is no reward of 0: {fault_of(item)}",
                hint="repair the service; or choose a number for `unscored`, and leave out samples where it is 1",
            )
        reward = unscored
    known = contributions(item)
    parts = {name: known.get(name, 0.0) for name in components}
    return {**parts, "score": reward, "unscored": float(item.reward is None)}
