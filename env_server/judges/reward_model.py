"""A reward model behind vLLM's `/score` or `/classify`, asked about many texts at once.

Texts that are asked about within a few milliseconds go out together, and none spoils the others: a batch that is
refused is halved until the one text is found that it was about, and one that goes unanswered is sent again one by one.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from env_server.config import RewardModelConfig
from env_server.judges.endpoint import Endpoint, Refused, Unanswered
from rewarders.errors import ModelFault
from rewarders.llm_judge.untrusted import defused
from rewarders.types import Message

_STAND_IN = "Hello."


@dataclass(eq=False)
class _Waiting:
    """A text and where its number goes."""

    prompt: tuple[Message, ...]
    answer: str
    number: "asyncio.Future[float | None]"


class ConfiguredRewardModel:
    """One `[reward_models.NAME]`. Used on one event loop."""

    def __init__(self, name: str, config: RewardModelConfig, endpoint: Endpoint | None = None) -> None:
        """Nothing is sent yet. Raises ConfigError when the key cannot be read."""
        self.name, self.config = name, config
        self.endpoint = endpoint or Endpoint(f"reward model {name}", config, ModelFault)
        self._url = f"{config.url.rstrip('/').removesuffix('/v1')}/{config.route}"
        self._waiting: list[_Waiting] = []
        self._lingering: asyncio.TimerHandle | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def score(self, prompt: Sequence[Message], answer: str) -> float | None:
        """The raw number; None where the model gives this text none, and another one. Raises ModelFault."""
        number = await self._queued(prompt, answer)
        if number is not None:
            return number
        if await self._queued(prompt, _STAND_IN) is None:
            raise ModelFault(f"reward model {self.name} gives no number, whatever it is asked", retryable=True)
        return None

    async def close(self) -> None:
        """End what is under way, and the connections."""
        if self._lingering:
            self._lingering.cancel()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self.endpoint.close()

    async def _queued(self, prompt: Sequence[Message], answer: str) -> float | None:
        loop = asyncio.get_running_loop()
        mine = _Waiting(tuple(prompt), answer, loop.create_future())
        self._waiting.append(mine)
        if len(self._waiting) >= self.config.batch:
            self._send()
        elif self._lingering is None:
            self._lingering = loop.call_later(self.config.linger_ms / 1000, self._send)
        return await mine.number

    def _send(self) -> None:
        if self._lingering:
            self._lingering.cancel()
            self._lingering = None
        batch, self._waiting = self._waiting, []
        if batch:
            task = asyncio.create_task(self._answer(batch))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        try:
            numbers = await self._numbers(batch)
        except ModelFault as fault:
            for one in batch:
                if not one.number.done():
                    one.number.set_exception(ModelFault(str(fault), retryable=fault.retryable))
            return
        except asyncio.CancelledError:
            for one in batch:
                one.number.cancel()
            raise
        for one, number in zip(batch, numbers, strict=True):
            if not one.number.done():  # whoever waited has gone
                one.number.set_result(number)

    async def _numbers(self, batch: Sequence[_Waiting]) -> list[float | None]:
        """None for each text that is refused, unanswered twice or given no number, by itself. Raises ModelFault."""
        try:
            return await self._asked(batch)
        except Refused:
            if len(batch) == 1:
                return [None]
            half = len(batch) // 2
            return [*await self._numbers(batch[:half]), *await self._numbers(batch[half:])]
        except Unanswered:
            await self._greet()
            return [*await asyncio.gather(*(self._number_alone(one) for one in batch))]

    async def _number_alone(self, one: _Waiting) -> float | None:
        try:
            (number,) = await self._asked([one])
        except Refused:
            return None
        except Unanswered:
            await self._greet()
            return None
        return number

    async def _asked(self, batch: Sequence[_Waiting]) -> list[float | None]:
        return self._read(await self.endpoint.post(self._url, self._body(batch)), len(batch))

    async def _greet(self) -> None:
        """Raises ModelFault: nobody is there, so it was no text that kept the endpoint from answering."""
        hello = _Waiting((Message(role="user", content=_STAND_IN),), _STAND_IN, asyncio.Future())
        await self.endpoint.greet(self._url, self._body([hello]))

    def _body(self, batch: Sequence[_Waiting]) -> dict[str, Any]:
        if self.config.route == "score":
            prompts = ["\n".join(turn.content or "" for turn in one.prompt) for one in batch]
            return {"model": self.config.model, "text_1": prompts, "text_2": [defused(one.answer) for one in batch]}
        return {"model": self.config.model, "input": [self._conversation(one) for one in batch]}

    def _conversation(self, one: _Waiting) -> str:
        turns = [(turn.role, turn.content or "") for turn in one.prompt] + [("assistant", defused(one.answer))]
        template = self.config.turn
        return "".join(content.join(template.replace("{role}", role).split("{content}", 1)) for role, content in turns)

    def _read(self, document: dict[str, Any], count: int) -> list[float | None]:
        """A row for each text, or ModelFault. A row without a finite number, which JSON may spell `null`, is None."""
        data = document.get("data")
        rows = [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
        placed = {row["index"]: self._number(row) for row in rows if type(row.get("index")) is int}
        if len(rows) != count or placed.keys() != set(range(count)):
            raise ModelFault(f"reward model {self.name} at {self._url} answered without a number for each text")
        return [placed[index] for index in range(count)]

    def _number(self, row: dict[str, Any]) -> float | None:
        value = row.get("score")
        if self.config.route == "classify":
            values = row.get("probs")
            value = (
                values[self.config.output] if isinstance(values, list) and len(values) > self.config.output else None
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if abs(value) <= sys.float_info.max else None  # as for NaN
