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
from rewarders.testing import exemptions
from rewarders.testing.exam import Result, first_failure
from rewarders.testing.nursery import Nurseries, Source
from rewarders.testing.transformations import TRANSFORMATIONS

SPECS = {spec.name: spec for spec in Registry.load(["assay"])}
QUICK = {"tasks": 2, "outputs": 24, "chance": 0.2}
"""The breakages do not hide from a short exam."""
MOST = 10
TEN = (
    "always_one", "always_zero", "scores_two", "raises_on_nul", "reads_a_file", "opens_a_socket",
    "accepts_with_a_tail", "follows_the_clock", "repeats_what_it_read", "keeps_the_first_reference", "upside_down",
)  # fmt: skip
"""The first ten that break it: the last is for those that read no reference."""
SEEN_BY = {
    "raises_on_nul": {"totality", "range"}, "reads_a_file": {"isolation"}, "opens_a_socket": {"isolation"},
    "follows_the_clock": {"isolation"}, "repeats_what_it_read": {"evidence"},
}  # fmt: skip
"""What is there for it, and notices it though the suite leaves out all that it may; a NUL can be in a case as well."""
LEFT_OUT = dict.fromkeys((*exemptions.CHECKS, *TRANSFORMATIONS), "what notices this one is nothing to be left out")
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


def noticed_by(breakage: str, name: str, folder: Path, shared: Nurseries) -> Result | None:
    """The check that notices, if one does; the cases are those of the built-in whose name it wears."""
    lines = (Path(broken_rewarders.files("rewarders.cases")) / f"{name}.jsonl").read_text("utf-8").splitlines()
    about = {**json.loads(lines[0]), **QUICK, "rewarder": None}
    if breakage in SEEN_BY:
        about["exempt"] = {**about.get("exempt", {}), **LEFT_OUT}
    cases = folder / f"{breakage}.jsonl"
    cases.write_text("\n".join([json.dumps(about), *lines[1:]]), "utf-8")
    tools = "env_server.plugin_tools:local" if SPECS[name].is_async else ""
    broken = Source(f"{breakage}.{name}", load=(), modules=("broken_rewarders",), tools=tools)
    return first_failure(broken, cases, shared)


def tried(name: str) -> list[str]:
    """The ways in which this rewarder is broken."""
    chosen = [*TEN] if os.environ.get("ASSAY_BREAKAGES") != "all" else sorted(set(BREAKAGES) - {"sound"})
    apply = [each for each in chosen if name in ONLY_FOR.get(each, {name})]
    return [each for each in apply if not (SPECS[name].is_async and each in PURE_ONLY)]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_broken_rewarder_is_noticed(name: str, tmp_path: Path, shared: Nurseries):
    ways = tried(name) if os.environ.get("ASSAY_BREAKAGES") == "all" else tried(name)[:MOST]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each exam is a process of its own
        seen = dict(zip(ways, pool.map(lambda way: noticed_by(way, name, tmp_path, shared), ways), strict=True))
    assert len(ways) >= MOST
    noticed = {way: failure.check.name for way, failure in seen.items() if failure}
    assert set(ways) - noticed.keys() == UNNOTICED.get(name, set()) & set(ways)
    assert [way for way, checks in SEEN_BY.items() if way in noticed and noticed[way] not in checks] == []
    assert len(UNNOTICED.get(name, set()) & set(tried(name)[:MOST])) <= 1


@pytest.mark.parametrize("name", ["judge.criteria", "layout.tags"])
def test_the_same_rewarder_unbroken_passes(name: str, tmp_path: Path, shared: Nurseries):
    assert noticed_by("sound", name, tmp_path, shared) is None
