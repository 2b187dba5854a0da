"""Every backend keeps every promise."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import pytest
from sandbox_backends import BACKENDS, NoSandbox, Running, running

from sandboxes.conformance import NEEDS, REQUIREMENTS, Check, Requirement, conformance
from sandboxes.conformance.languages import SAMPLES, speaks
from sandboxes.errors import SandboxUnavailable
from sandboxes.types import Program, SandboxResult, Submission

UNKEPT = {
    "the_environment_is_empty",
    "the_work_folder_holds_nothing_else",
    "nothing_outside_tmp_can_be_written",
    "too_much_memory_at_once_is_out_of_memory",
    "a_run_leaves_no_file_for_the_next",
    "linked_programs_talk_both_ways",
    "a_result_says_what_was_used",
}
"""What no sandbox at all does not do, and is quickly seen not to."""


class Unreachable(NoSandbox):
    """A sandbox that cannot be started."""

    async def run(self, program: Program, stdin: bytes = b"") -> SandboxResult:
        raise SandboxUnavailable("nobody is there")

    def open(self, program: Program) -> AbstractAsyncContextManager[Submission]:
        raise SandboxUnavailable("nobody is there")


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(request.param) as started:
        yield started


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.__name__)
def test_the_promise_is_kept(requirement: Requirement, backend: Running):
    async def check() -> None:
        await requirement(backend.sandbox)

    backend.run(check())


@pytest.mark.parametrize("language", SAMPLES)
def test_the_language_is_spoken_or_said_to_be_missing(language: str, backend: Running):
    missing = backend.run(speaks(backend.sandbox, language))
    if missing:
        pytest.skip(missing)


@pytest.mark.parametrize("name", sorted(UNKEPT))
def test_a_promise_that_is_not_kept_is_seen(name: str):
    (requirement,) = (each for each in REQUIREMENTS if each.__name__ == name)

    async def check() -> list[Check]:
        return [check async for check in conformance(NoSandbox(), (), requirements=(requirement,))]

    (seen,) = asyncio.run(check())
    assert not seen.ok
    assert seen.detail


def test_a_sandbox_that_fails_keeps_no_promise():
    async def check() -> list[Check]:
        return [check async for check in conformance(Unreachable(), ("c",), requirements=REQUIREMENTS[:3])]

    assert [seen.ok for seen in asyncio.run(check())] == [False] * 4


def test_what_a_missing_layer_would_have_to_do_is_left_out():
    async def check() -> list[Check]:
        chosen = [each for each in REQUIREMENTS if each.__name__ in NEEDS]
        return [check async for check in conformance(Unreachable(), (), set(NEEDS.values()), requirements=chosen)]

    seen = asyncio.run(check())
    assert len(seen) == len(NEEDS), "NEEDS names a requirement that does not exist"
    assert all(check.ok and "left out" in check.detail for check in seen)
