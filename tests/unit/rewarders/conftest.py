"""A real sandbox for the tests of what runs programs: one a file, on one event loop."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from rewarders import programs
from rewarders.types import Completion, Verdict
from sandboxes.namespaces import NamespaceSandbox
from sandboxes.types import Sandbox

Score = Callable[..., Verdict]
PATIENT = {"limits": {"wall_s": 8.0, "cpu_s": 4.0}, "submission_wall_s": 20.0}
HASTY = {
    "timed_out": {"limits": {"wall_s": 1.0}, "submission_wall_s": 2.0},
    "cpu_limit": {"limits": {"wall_s": 8.0, "cpu_s": 0.5}},
}
"""Params under which a limit is met soon."""


@dataclass(frozen=True)
class SandboxAlone:
    """What the service would hand a rewarder, without its meters."""

    sandbox: Sandbox


@pytest.fixture(scope="module")
def on_loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def sandbox(on_loop: asyncio.Runner) -> Iterator[Sandbox]:
    backend = NamespaceSandbox()
    on_loop.run(backend.start())
    yield backend
    on_loop.run(backend.close())


@pytest.fixture(scope="module")
def score(on_loop: asyncio.Runner, sandbox: Sandbox) -> Score:
    """Score code against a tests object, as `programs.tests` does; `meeting` names a limit that is to be met soon."""

    def scored(
        code: str, tests: dict[str, Any], *, language: str = "python", meeting: str = "", **params: Any
    ) -> Verdict:
        reference = programs.Reference.model_validate({"language": language, "tests": tests})
        settings = programs.Params.model_validate({**HASTY.get(meeting, PATIENT), **params})
        completion = Completion(text=f"````{language}\n{code}\n````")
        return on_loop.run(programs.tests(completion, reference, settings, SandboxAlone(sandbox)))

    return scored
