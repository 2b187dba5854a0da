"""What the embedded backend adds to its warden: slots, remedies, and starting again."""

import asyncio
from dataclasses import replace

import pytest

from sandboxes.errors import SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.namespaces import NamespaceSandbox
from sandboxes.policy import find_policies
from sandboxes.types import Limits, Outcome, Program, SandboxResult


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


def ran(program: Program, sandbox: NamespaceSandbox | None = None) -> SandboxResult:
    chosen = sandbox or NamespaceSandbox()

    async def scenario() -> SandboxResult:
        try:
            return await chosen.run(program)
        finally:
            await chosen.close()

    return asyncio.run(scenario())


def test_a_program_that_compiles_to_nothing_is_a_program_that_fails():
    sandbox = NamespaceSandbox()
    if sandbox.policies["java"].missing:
        pytest.skip("there is no Java on this machine")
    result = ran(Program(language="java", source="// nothing"), sandbox)
    assert (result.outcome, result.exit_code) == (Outcome.EXITED, 1)


def test_a_tool_that_cannot_be_executed_is_a_fault_and_no_programs_exit():
    policies = find_policies()
    bash = policies["bash"]
    assert bash.table.run is not None
    gone = bash.table.run.model_copy(update={"argv": ("/usr/bin/no-such-bash", "main.sh")})
    table = bash.table.model_copy(update={"run": gone})
    sandbox = NamespaceSandbox(policies={**policies, "bash": replace(bash, table=table)})
    with pytest.raises(SandboxLost, match=r"could not be started: .*no-such-bash"):
        ran(Program(language="bash", source="exit 0"), sandbox)


def test_a_program_that_is_larger_than_its_disk_is_told_so():
    result = ran(Program(source="pass", files={"data": bytes(2**20)}, limits=Limits(disk_bytes=2**16)))
    assert (result.outcome, result.exit_code) == (Outcome.EXITED, 1)
    assert b"data: No space left on device" in result.stderr
    assert b"disk_bytes" in result.stderr


def test_what_a_compiler_made_and_nobody_can_execute_is_the_programs_failure():
    policies = find_policies()
    c = policies["c"]
    assert c.table.compile is not None
    echo = c.table.compile.model_copy(update={"argv": ("{gcc}", "-E", "-o", "program", "main.c")})
    sandbox = NamespaceSandbox(
        policies={**policies, "c": replace(c, table=c.table.model_copy(update={"compile": echo}))}
    )
    result = ran(Program(language="c", source="int main() { return 0; }"), sandbox)
    assert (result.stage, result.exit_code) == ("run", 126)
    assert b"Exec format error" in result.stderr or b"Permission denied" in result.stderr
