"""The kit notices when a built-in rewarder is broken; what it cannot notice is listed.

Three ways of breaking are tried by default, ten with `ASSAY_BREAKAGES=core`, forty with `all`; and by default two
rewarders are seen to pass unbroken, since all of them do in `test_rewarders`.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import broken_rewarders
import pytest
from broken_rewarders import BREAKAGES, BUILT_IN, PURE_ONLY

from rewarders.registry import Registry
from rewarders.testing.exam import first_failure
from rewarders.testing.probe import Source

SPECS = {spec.name: spec for spec in Registry.load(["assay"])}
QUICK = {"tasks": 2, "outputs": 24, "chance": 0.2}
"""The breakages do not hide from a short exam."""
CORE = {
    "always_one", "always_zero", "scores_two", "raises_on_nul", "reads_a_file", "opens_a_socket",
    "keeps_the_first_reference", "accepts_with_a_tail", "follows_the_clock", "repeats_what_it_read",
}  # fmt: skip
QUICKEST = {"always_one", "keeps_the_first_reference", "repeats_what_it_read"}
TRIED = {"all": set(BREAKAGES) - {"sound"}, "core": CORE}.get(os.environ.get("ASSAY_BREAKAGES", ""), QUICKEST)
ONLY_FOR = {
    "ignores_signs": {"maths.equal"},
    "reads_fewer_digits": {"maths.equal"},
    "ignores_the_ending": {"maths.equal", "programs.hidden", "programs.tests", "programs.variants"},
    "keeps_the_first_reference": {name for name in BUILT_IN if SPECS[name].reference},
    "ignores_case": {name for name in BUILT_IN if name != "layout.length"},
    "ignores_params": {name for name in BUILT_IN if SPECS[name].params.model_fields},
}
"""Elsewhere these break nothing."""
UNNOTICED: dict[str, set[str]] = {}
"""Breakages that are none for this rewarder, or that its cases cannot show."""


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


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_broken_rewarder_is_noticed(name: str, tmp_path: Path):
    cases = quick_cases(name, tmp_path)
    tried = {each for each in TRIED if name in ONLY_FOR.get(each, {name})}
    tried -= PURE_ONLY if SPECS[name].is_async else set()
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each exam is a process of its own
        seen = dict(zip(tried, pool.map(lambda each: first_failure(source(each, name), cases), tried), strict=True))
    assert {breakage for breakage, failure in seen.items() if failure is None} == UNNOTICED.get(name, set()) & tried
    assert len(UNNOTICED.get(name, set()) & CORE) <= 1


@pytest.mark.parametrize("name", BUILT_IN if os.environ.get("ASSAY_BREAKAGES") else ["judge.criteria", "layout.tags"])
def test_the_same_rewarder_unbroken_passes(name: str, tmp_path: Path):
    assert first_failure(source("sound", name), quick_cases(name, tmp_path)) is None
