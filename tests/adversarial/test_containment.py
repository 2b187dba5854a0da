"""Ways out of a sandbox. Each test is one of the shipped attacks, and it ends contained in every backend."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_backends import BACKENDS, NoSandbox, Running, running

from sandboxes.attack_suite import CANARIES, Probe, canaries, probes, select, try_probe

PATIENCE_S = 0.3
CAP_SYS_ADMIN = 21


def privileged() -> bool:
    """Whether we may do what a program without a sandbox could do to this machine."""
    found = re.search(r"CapEff:\s+([0-9a-f]+)", Path("/proc/self/status").read_text())
    return found is not None and bool(int(found[1], 16) >> CAP_SYS_ADMIN & 1)


def name_of(probe: Probe) -> str:
    return f"{probe.category}-{probe.id}"


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(request.param) as started:
        yield started


@pytest.mark.parametrize("probe", probes(), ids=name_of)
def test_the_attack_is_contained(probe: Probe, backend: Running):
    result = backend.run(try_probe(backend.sandbox, probe))
    if not result.tried:
        pytest.skip(result.detail)
    assert result.contained, result.detail


def test_the_canaries_hold(backend: Running):
    results = backend.run(canaries(backend.sandbox))
    assert [result.id for result in results] == list(CANARIES)
    assert [result for result in results if not result.contained] == []


@pytest.mark.parametrize("probe", [probe for probe in probes() if probe.entry.bare != "nobody"], ids=name_of)
def test_without_a_sandbox_the_attack_succeeds(probe: Probe, monkeypatch: pytest.MonkeyPatch):
    if probe.entry.bare == "root" and not privileged():
        pytest.skip("needs the rights of root")
    monkeypatch.setenv("ASSAY_TEST_SECRET", "only the tests know this value")
    result = asyncio.run(try_probe(NoSandbox(), probe, PATIENCE_S))
    assert not result.contained, f"it proves nothing: {result.detail}"


def test_every_canary_is_seen_to_succeed_somewhere():
    assert [probe.id for probe in select(CANARIES) if probe.entry.bare == "nobody"] == []


def test_an_unknown_attack_is_refused_by_name():
    with pytest.raises(ValueError, match="'no_such_attack'"):
        select(["no_such_attack"])


def test_every_program_is_in_the_manifest():
    import sandboxes

    folder = Path(sandboxes.__file__).parent / "attacks"
    programs = {path.stem for path in folder.glob("*/*.*")}
    assert programs == {probe.id for probe in probes()}
