"""Every built-in rewarder against its cases: the same exam that a plug-in's author gives theirs."""

from importlib.resources import files
from pathlib import Path

import pytest

from rewarders.registry import Registry
from rewarders.testing import CHECKS, Report, examine, read_suite
from rewarders.testing.probe import Source

CASES = Path(str(files("rewarders.cases")))
BUILT_IN = {spec.name: spec for spec in Registry.load(["assay"])}
SUITES = sorted(path.name.removesuffix(".jsonl") for path in CASES.glob("*.*.jsonl"))


@pytest.fixture(scope="module", params=SUITES)
def report(request: pytest.FixtureRequest) -> Report:
    tools = "env_server.plugin_tools:local" if BUILT_IN[request.param].is_async else ""
    return examine(Source(request.param, load=("assay",), tools=tools))


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_a_built_in_passes_its_contract(report: Report, check: str):
    assert report[check].ok, str(report)


def test_every_built_in_has_cases():
    assert sorted(BUILT_IN) == SUITES


def test_maths_accepts_fifty_right_answers_and_more():
    suite = read_suite(CASES / "maths.equal.jsonl", "maths.equal")
    assert len(suite.of("full")) >= 50
    assert len(suite.tasks) >= 30
