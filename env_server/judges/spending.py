"""A ceiling on what a judge may use, kept for good. What is under way counts as if it used all it may."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from env_server.config import JudgeConfig
from env_server.judges.memory import Memory
from rewarders.errors import JudgeFault

_CHARS_IN_TOKEN = 3
_MILLION = 1_000_000


@dataclass(frozen=True)
class Usage:
    """Tokens of one exchange."""

    prompt: int = 0
    reply: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.prompt + self.reply


def estimated(chars: int) -> int:
    """Tokens of a text of so many characters, where nobody has counted them."""
    return chars // _CHARS_IN_TOKEN + 1


class Purse:
    """What one judge has used and may use."""

    def __init__(self, judge: str, config: JudgeConfig, memory: Memory) -> None:
        self._judge, self._config, self._memory = judge, config, memory
        self._held_tokens, self._held_money = 0, 0.0

    @property
    def used(self) -> tuple[int, float]:
        """Tokens and money so far."""
        return self._memory.used(self._judge)

    def price(self, usage: Usage) -> float:
        """Money for it, in the unit of the configured prices."""
        return (usage.prompt * self._config.input_price + usage.reply * self._config.output_price) / _MILLION

    @contextmanager
    def hold(self, prompt_chars: int) -> Iterator[None]:
        """Set aside what one request may take at most. Raises JudgeFault: that much is not left."""
        most = Usage(estimated(prompt_chars), self._config.max_tokens)
        money = self.price(most)
        tokens_used, money_used = self.used
        self._require("budget_tokens", self._config.budget_tokens, tokens_used + self._held_tokens + most.total)
        self._require("budget_money", self._config.budget_money, money_used + self._held_money + money)
        self._held_tokens += most.total
        self._held_money += money
        try:
            yield
        finally:
            self._held_tokens -= most.total
            self._held_money -= money

    def pay(self, usage: Usage) -> None:
        """Count what was really used."""
        self._memory.use(self._judge, usage.total, self.price(usage))

    def _require(self, key: str, most: float | None, needed: float) -> None:
        if most is not None and needed > most:
            raise JudgeFault(
                f"judges.{self._judge}.{key} is {most:g}, and one more request could take it to {needed:g}"
            )
