"""The exams behind `env-server plugins test` and `audit`: each rewarder in the Python that it would be served from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from env_server.config import ServiceConfig
from env_server.isolation import IsolatedSpec
from env_server.progress import progress_bar
from rewarders.errors import PluginError
from rewarders.registry import RewarderSpec
from rewarders.testing import CasesError, Report, examine
from rewarders.testing.exam import Result
from rewarders.testing.nursery import Nurseries, Source

TOOLS = "env_server.plugin_tools:local"


@dataclass(frozen=True)
class ScoreCard:
    """How one version of a rewarder did, or why nobody can say."""

    spec: RewarderSpec
    report: Report | None
    trouble: str = ""
    """Why it could not be examined."""

    @property
    def ok(self) -> bool:
        """Whether it keeps its contract."""
        return self.report is not None and self.report.ok

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        if self.report is None:
            return {"rewarder": self.spec.name, "version": self.spec.version, "ok": None, "trouble": self.trouble}
        return self.report.as_json()

    def cells(self) -> tuple[str, ...]:
        """What there is to say, in a row."""
        if self.report is None:
            return ("-", "-", "-", "-", self.trouble)
        right = self.report["must_accept"]
        paid = f"{right.trials - right.found}/{right.trials}, ≥{self.report.accepts:.1%}"
        wrongly = (self.report[name] for name in ("never_accept", "mutants", "null_policy"))
        unpaid, mutants, luck = (_at_most(result) for result in wrongly)
        broken = ", ".join(result.check.name for result in self.report.results if not result.ok)
        return unpaid, paid, mutants, luck, broken or "none"


def examine_spec(
    config: ServiceConfig, spec: RewarderSpec, cases: Path | None = None, nurseries: Nurseries | None = None
) -> Report:
    """Put a rewarder through the twelve checks. Raises CasesError, PluginError."""
    tools = TOOLS if spec.is_async else ""
    if isinstance(spec, IsolatedSpec):
        assert spec.plugin is not None
        own = spec.plugin.config
        return examine(Source(spec.name, own.load, own.modules, tools, spec.plugin.python), cases, nurseries)
    return examine(Source(spec.name, config.plugins.load, config.plugins.modules, tools), cases, nurseries)


def score_cards(config: ServiceConfig, specs: Iterable[RewarderSpec]) -> Iterator[ScoreCard]:
    """One for each, in their order."""
    chosen = list(specs)
    with Nurseries() as shared, progress_bar("examining", len(chosen)) as advance:
        for spec in chosen:
            try:
                yield ScoreCard(spec, examine_spec(config, spec, nurseries=shared))
            except (CasesError, PluginError) as error:
                yield ScoreCard(spec, None, str(error))
            advance(1)


def _at_most(result: Result) -> str:
    if result.bound is None:
        return "left out" if result.exempt else "not tried"
    return f"{result.found}/{result.trials}, ≤{result.bound:.1%}"
