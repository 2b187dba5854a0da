"""A ceiling on what a judge may use, kept for good.

Whatever is sent is paid for before it leaves, as if it took all it may, and settled when the answer says what it took.
A request that nobody hears of again, by a timeout or a kill, stays paid: the endpoint may well have worked on it.
"""

from dataclasses import dataclass

from env_server.config import JudgeConfig
from env_server.judges.memory import Memory
from rewarders.errors import JudgeFault

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

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.prompt + other.prompt, self.reply + other.reply)

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(self.prompt - other.prompt, self.reply - other.reply)


class Purse:
    """What one judge has used and may use."""

    def __init__(self, judge: str, config: JudgeConfig, memory: Memory) -> None:
        self._judge, self._config, self._memory = judge, config, memory

    @property
    def used(self) -> tuple[int, float]:
        """Tokens and money so far, what is under way included."""
        return self._memory.used(self._judge)

    def price(self, usage: Usage) -> float:
        """Money for it, in the unit of the configured prices."""
        return (usage.prompt * self._config.input_price + usage.reply * self._config.output_price) / _MILLION

    def pay(self, usage: Usage) -> None:
        """Count it; what is negative is given back."""
        self._memory.use(self._judge, usage.total, self.price(usage))

    def pay_if_left(self, usage: Usage) -> None:
        """Count it. Raises JudgeFault, and counts nothing, where so much is not left."""
        tokens, money = self.used
        self._require("budget_tokens", self._config.budget_tokens, tokens + usage.total)
        self._require("budget_money", self._config.budget_money, money + self.price(usage))
        self.pay(usage)

    def _require(self, key: str, most: float | None, needed: float) -> None:
        if most is not None and needed > most:
            raise JudgeFault(
                f"judges.{self._judge}.{key} is {most:g}, and one more request could take it to {needed:g}",
                hint="raise it to go on: it counts all that was used since the data directory was made",
            )


class Account:
    """What one question costs, try by try."""

    def __init__(self, purse: Purse, most: Usage) -> None:
        """Nothing is paid yet; `most` is what one try may take."""
        self._purse, self._most = purse, most
        self.spent = Usage()

    def take(self) -> None:
        """Pay for one try as if it took all it may. Raises JudgeFault: so much is not left."""
        self._purse.pay_if_left(self._most)
        self.spent += self._most

    def settle(self, used: Usage) -> None:
        """The last try took this."""
        self._purse.pay(used - self._most)
        self.spent += used - self._most

    def give_back(self) -> None:
        """The last try took nothing."""
        self.settle(Usage())
