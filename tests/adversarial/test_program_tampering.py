"""Ways for a wrong program to be taken for a right one. Each test is one of them, and it is paid nothing.

It is a verdict of 0 and never a fault: otherwise a policy could choose to be unscored.
"""

import asyncio
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sandbox_backends import BACKENDS, Running, running

import rewarders.programs
from rewarders.programs import Params, Reason, Reference
from rewarders.types import Completion, Verdict
from sandboxes.types import Limits, Sandbox

FOLDER = Path(rewarders.programs.__file__).parent / "attacks"
PROBLEM = tomllib.loads((FOLDER / "problem.toml").read_text("utf-8"))
KINDS = {"function": ("call", "asserts", "asserts_beside", "pytest"), "stdio": ("stdio",)}
PARAMS = Params(limits=Limits(wall_s=1.5, cpu_s=0.7), submission_wall_s=4.0)


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
