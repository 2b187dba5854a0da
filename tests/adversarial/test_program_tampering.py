"""Ways for a wrong program to be taken for a right one. Each test is one of them, and it is paid nothing.

It is a verdict of 0 and never a fault: otherwise a policy could choose to be unscored.
"""

import asyncio
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sandbox_backends import BACKENDS, Running, running

import rewarders.programs
from rewarders.programs import Params, Reason, Reference
from rewarders.types import Completion, Verdict
from sandboxes.types import Limits, Sandbox

FOLDER = Path(rewarders.programs.__file__).parent / "attacks"
PROBLEM = tomllib.loads((FOLDER / "problem.toml").read_text("utf-8"))
KINDS = {"function": ("call", "asserts", "asserts_beside", "pytest"), "stdio": ("stdio",)}
FOOLS_EXIT_CODES = {
    "exit_at_import", "exit_at_the_end", "exit_by_libc", "exit_in_call", "exit_of_the_parent", "equal_by_mock",
    "equal_list", "equal_to_everything", "patched_lists", "print_that_it_passed_and_exit",
}  # fmt: skip
"""Tricks that asserts beside the program, judged by how the process ends, fall for."""
HIDDEN_TESTS = """
import solution

if hasattr(solution, "scale"):

    def test_scale():
        assert solution.scale([1], 2) == [2]
"""
PARAMS = Params(limits=Limits(wall_s=1.0, cpu_s=0.5), submission_wall_s=3.0)


@dataclass(frozen=True)
class Tools:
    """All that the rewarder is handed."""

    sandbox: Sandbox


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(request.param) as started:
        yield started


def programs(folder: str) -> list[Path]:
    return sorted((FOLDER / folder).glob("*/*.py"))


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


async def judged(sandbox: Sandbox, path: Path, params: Params = PARAMS) -> dict[str, Verdict]:
    """What a program scores with each kind of tests."""
    completion = Completion(text=f"```python\n{path.read_text('utf-8')}\n```")
    kinds = KINDS[path.parent.name]
    references = [Reference.model_validate({"language": "python", "tests": PROBLEM[kind]}) for kind in kinds]
    tries = (rewarders.programs.tests(completion, reference, params, Tools(sandbox)) for reference in references)
    return dict(zip(kinds, await asyncio.gather(*tries), strict=True))


@pytest.mark.parametrize("path", programs("rejected"), ids=name_of)
def test_the_trick_is_paid_nothing(path: Path, backend: Running):
    verdicts = backend.run(judged(backend.sandbox, path))
    assert {kind: verdict.score for kind, verdict in verdicts.items()} == dict.fromkeys(verdicts, 0.0)


@pytest.mark.parametrize("path", programs("accepted"), ids=name_of)
def test_an_honest_program_is_paid(path: Path, backend: Running):
    verdicts = backend.run(judged(backend.sandbox, path))
    assert {kind: verdict.reason for kind, verdict in verdicts.items()} == dict.fromkeys(verdicts, Reason.PASSED)


@pytest.mark.parametrize("trick", sorted(FOOLS_EXIT_CODES))
def test_an_exit_code_would_have_been_fooled(trick: str, tmp_path: Path):
    program = (FOLDER / "rejected" / "function" / f"{trick}.py").read_text("utf-8")
    tests = f"{program}\n{PROBLEM['asserts']['code']}\ncheck(scale)\n"
    done = subprocess.run([sys.executable, "-c", tests], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, "the trick proves nothing"


def test_a_program_that_hides_what_is_asked_for_leaves_no_test_and_is_paid_nothing(backend: Running):
    files = {"test_scale.py": HIDDEN_TESTS}
    tests = {"kind": "pytest", "module": "solution.py", "files": files}
    reference = Reference.model_validate({"language": "python", "tests": tests})
    hides = Completion(text="```python\ndef other(values, factor):\n    return []\n```")
    verdict = backend.run(rewarders.programs.tests(hides, reference, PARAMS, Tools(backend.sandbox)))
    assert verdict.score == 0.0
