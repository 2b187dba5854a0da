"""The judges and reward models of a service, by name, and what they share."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from env_server.judges.calibrations import Calibrations
from rewarders.errors import JudgeFault, ModelFault

if TYPE_CHECKING:
    from env_server.judges.endpoint import Endpoint
    from env_server.judges.judge import ConfiguredJudge
    from env_server.judges.memory import Memory
    from env_server.judges.reward_model import ConfiguredRewardModel
    from env_server.observing.tallies import JudgeTally


class ModelKeeper:
    """Built in `app.py`; NO_MODELS is one without any. All else happens on the calls' event loop."""

    def __init__(
        self,
        judges: "Mapping[str, ConfiguredJudge]",
        reward_models: "Mapping[str, ConfiguredRewardModel]",
        calibrations: Calibrations,
        memory: "Memory | None" = None,
    ) -> None:
        self._judges, self._reward_models, self._memory = judges, reward_models, memory
        self.calibrations = calibrations

    @property
    def judge_names(self) -> list[str]:
        """Of all judges."""
        return sorted(self._judges)

    def judge(self, name: str) -> "ConfiguredJudge":
        """Raises JudgeFault: there is none of that name."""
        if name not in self._judges:
            raise JudgeFault(f"there is no judge {name!r}: the configuration has no section [judges.{name}]")
        return self._judges[name]

    def reward_model(self, name: str) -> "ConfiguredRewardModel":
        """Raises ModelFault: there is none of that name."""
        if name not in self._reward_models:
            raise ModelFault(f"there is no reward model {name!r}: the configuration has no [reward_models.{name}]")
        return self._reward_models[name]

    @property
    def endpoints(self) -> "Iterator[tuple[str, Endpoint]]":
        """Of all judges and reward models, called like their sections."""
        yield from ((f"judges.{name}", judge.endpoint) for name, judge in self._judges.items())
        yield from ((f"reward_models.{name}", model.endpoint) for name, model in self._reward_models.items())

    @property
    def judge_tallies(self) -> "Iterator[tuple[str, JudgeTally]]":
        """What each judge has counted."""
        return ((name, judge.tally) for name, judge in self._judges.items())

    async def close(self) -> None:
        """End what is under way, the connections and the memory."""
        for judge in self._judges.values():
            await judge.close()
        for model in self._reward_models.values():
            await model.close()
        if self._memory:
            self._memory.close()


NO_MODELS = ModelKeeper({}, {}, Calibrations({}))
