"""What the embedded backend adds to its warden: slots, remedies, and starting again."""

import asyncio

import pytest

from sandboxes.errors import SandboxMisconfigured, SandboxUnavailable
from sandboxes.namespaces import NamespaceSandbox
from sandboxes.types import Outcome, Program, SandboxResult


def test_something_runs_beside_an_open_submission_even_where_one_may_be_open():
    async def scenario() -> bytes:
        sandbox = NamespaceSandbox(parallel=1)
        try:
            async with sandbox.open(Program(source="print('candidate')")) as submission:
                await submission.run()
                return (await sandbox.run(Program(source="print('checker')"))).stdout
        finally:
            await sandbox.close()

    assert asyncio.run(asyncio.wait_for(scenario(), 60)) == b"checker\n"


def test_the_tier_is_part_of_what_a_result_says_of_its_origin():
    tiers = [NamespaceSandbox(tier="full"), NamespaceSandbox(tier="landlock")]
    assert len({sandbox.policy_digest("python") for sandbox in tiers}) == 2


def test_an_interpreter_that_cannot_be_read_is_refused_with_what_to_do():
    async def scenario() -> None:
        sandbox = NamespaceSandbox(tier="landlock", python="/root/nowhere/bin/python3")
        try:
            await sandbox.run(Program(source="pass"))
        finally:
            await sandbox.close()

    with pytest.raises(SandboxMisconfigured, match="nowhere"):
        asyncio.run(scenario())


def test_a_sandbox_that_is_closed_says_so():
    async def scenario() -> None:
        sandbox = NamespaceSandbox()
        await sandbox.close()
        await sandbox.run(Program(source="pass"))

    with pytest.raises(SandboxUnavailable, match="closed"):
        asyncio.run(scenario())


def test_a_start_that_is_given_up_leaves_nothing_and_does_not_keep_the_next_one():
    async def scenario() -> bytes:
        sandbox = NamespaceSandbox()
        start = asyncio.create_task(sandbox.start())
        while sandbox._link is None:
            await asyncio.sleep(0)
        given_up = sandbox._link
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        assert given_up.lost
        try:
            return (await sandbox.run(Program(source="print(1)"))).stdout
        finally:
            await sandbox.close()

    assert asyncio.run(scenario()) == b"1\n"


def test_a_program_that_compiles_to_nothing_is_a_program_that_fails():
    sandbox = NamespaceSandbox()
    if sandbox.policies["java"].missing:
        pytest.skip("there is no Java on this machine")

    async def scenario() -> SandboxResult:
        try:
            return await sandbox.run(Program(language="java", source="// nothing"))
        finally:
            await sandbox.close()

    result = asyncio.run(scenario())
    assert (result.outcome, result.exit_code) == (Outcome.EXITED, 1)
