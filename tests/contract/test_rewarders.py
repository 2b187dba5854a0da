"""Every built-in rewarder against its cases: the same exam that a plug-in's author gives theirs."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from rewarders.registry import Registry
from rewarders.testing import CHECKS, Report, examine, read_suite
from rewarders.testing.nursery import Nurseries, Source

CASES = Path(str(files("rewarders.cases")))
BUILT_IN = {spec.name: spec for spec in Registry.load(["assay"])}
SUITES = sorted(path.name.removesuffix(".jsonl") for path in CASES.glob("*.*.jsonl"))
KINDS = ("citation", "judge", "layout", "maths", "programs", "safety")


@pytest.fixture(scope="module")
def shared() -> Iterator[Nurseries]:
    """What is loaded once for all exams."""
    with Nurseries() as nurseries:
        yield nurseries


@pytest.fixture(scope="module", params=SUITES)
def report(request: pytest.FixtureRequest, shared: Nurseries) -> Report:
    tools = "env_server.plugin_tools:local" if BUILT_IN[request.param].is_async else ""
    return examine(Source(request.param, load=("assay",), tools=tools), nurseries=shared)


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_a_built_in_passes_its_contract(report: Report, check: str):
    assert report[check].ok, str(report)


def test_every_built_in_has_cases():
    assert sorted(BUILT_IN) == SUITES


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_accepts_fifty_right_answers_and_more(kind: str):
    suites = [read_suite(CASES / f"{name}.jsonl", name) for name in SUITES if name.startswith(f"{kind}.")]
    assert sum(len(suite.of("full")) for suite in suites) >= 50


def test_maths_is_asked_thirty_different_questions():
    assert len(read_suite(CASES / "maths.equal.jsonl", "maths.equal").tasks) >= 30
