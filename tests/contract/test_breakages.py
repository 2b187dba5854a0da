"""The kit notices when a built-in rewarder is broken; what it cannot notice is listed.

Ten ways of breaking each are tried; all of them, some forty, with `ASSAY_BREAKAGES=all`.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import broken_rewarders
import pytest
from broken_rewarders import BREAKAGES, BUILT_IN, PURE_ONLY

from rewarders.registry import Registry
from rewarders.testing.exam import first_failure
from rewarders.testing.nursery import Nurseries, Source

SPECS = {spec.name: spec for spec in Registry.load(["assay"])}
QUICK = {"tasks": 2, "outputs": 24, "chance": 0.2}
"""The breakages do not hide from a short exam."""
MOST = 10
TEN = (
    "always_one", "always_zero", "scores_two", "raises_on_nul", "reads_a_file", "opens_a_socket",
    "accepts_with_a_tail", "follows_the_clock", "repeats_what_it_read", "keeps_the_first_reference", "upside_down",
)  # fmt: skip
"""The first ten that break it: the last is for those that read no reference."""
ONLY_FOR = {
    "ignores_signs": {"maths.equal"},
    "reads_fewer_digits": {"maths.equal"},
    "ignores_the_ending": {"maths.equal", "programs.hidden", "programs.tests", "programs.variants"},
    "keeps_the_first_reference": {name for name in BUILT_IN if SPECS[name].reference},
    "ignores_case": {name for name in BUILT_IN if name != "layout.length"},
    "ignores_params": {name for name in BUILT_IN if SPECS[name].params.model_fields},
}
"""Elsewhere these break nothing."""
UNNOTICED: dict[str, set[str]] = {"safety.tool_calls": {"accepts_with_a_tail"}}
"""Breakages that are none for this rewarder, or that its cases cannot show: what `safety.tool_calls` judges is in the
messages, and this one cuts the text."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Nurseries]:
    """What is loaded once for all exams."""
    with Nurseries() as nurseries:
        yield nurseries


def quick_cases(name: str, folder: Path) -> Path:
    """The built-in's cases, for whoever wears its name."""
    lines = (Path(broken_rewarders.files("rewarders.cases")) / f"{name}.jsonl").read_text("utf-8").splitlines()
    about = {**json.loads(lines[0]), **QUICK, "rewarder": None}
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join([json.dumps(about), *lines[1:]]), "utf-8")
    return path


def source(breakage: str, name: str) -> Source:
    tools = "env_server.plugin_tools:local" if SPECS[name].is_async else ""
    return Source(f"{breakage}.{name}", load=(), modules=("broken_rewarders",), tools=tools)


def tried(name: str) -> list[str]:
    """The ways in which this rewarder is broken."""
    chosen = [*TEN] if os.environ.get("ASSAY_BREAKAGES") != "all" else sorted(set(BREAKAGES) - {"sound"})
    apply = [each for each in chosen if name in ONLY_FOR.get(each, {name})]
    return [each for each in apply if not (SPECS[name].is_async and each in PURE_ONLY)]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_broken_rewarder_is_noticed(name: str, tmp_path: Path, shared: Nurseries):
    cases = quick_cases(name, tmp_path)
    ways = tried(name) if os.environ.get("ASSAY_BREAKAGES") == "all" else tried(name)[:MOST]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each exam is a process of its own
        seen = dict(zip(ways, pool.map(lambda way: first_failure(source(way, name), cases, shared), ways), strict=True))
    assert len(ways) >= MOST
    assert {way for way, failure in seen.items() if failure is None} == UNNOTICED.get(name, set()) & set(ways)
    assert len(UNNOTICED.get(name, set()) & set(tried(name)[:MOST])) <= 1


@pytest.mark.parametrize("name", ["judge.criteria", "layout.tags"])
def test_the_same_rewarder_unbroken_passes(name: str, tmp_path: Path, shared: Nurseries):
    assert first_failure(source("sound", name), quick_cases(name, tmp_path), shared) is None
