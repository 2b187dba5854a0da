"""A sandbox over real HTTP keeps the promise of a sandbox."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import httpx
import pytest
from sandbox_servers import SandboxServer, alive, answering, closed_port, serving, until

from sandboxes.errors import SandboxFault, SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.remote import RemoteSandbox
from sandboxes.types import Limits, Outcome, Program

T = TypeVar("T")
SLEEPS = Program(source="import time; time.sleep(60)", limits=Limits(wall_s=60, cpu_s=5))
HELLO = Program(source="print('hello')")


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with serving("--parallel", "2", "--most-open", "2", "--idle-s", "60") as running:
        yield running


def using(url: str | list[str], work: Callable[[RemoteSandbox], Awaitable[T]], **settings: Any) -> T:
    async def start_and_work() -> T:
        sandbox = RemoteSandbox([url] if isinstance(url, str) else url, **settings)
        try:
            async with asyncio.timeout(60):
                await sandbox.start()
                return await work(sandbox)
        finally:
            await sandbox.close()

    return asyncio.run(start_and_work())


def open_submissions(url: str) -> int:
    return int(httpx.get(f"{url}/healthz").json()["submissions"])


def test_a_program_runs_far_away_and_its_result_says_where(server: SandboxServer):
    result = using(server.url, lambda sandbox: sandbox.run(HELLO))
    assert (result.stdout, result.exit_code, result.backend) == (b"hello\n", 0, "remote:namespaces:full")


def test_bytes_come_through_as_they_are_both_ways(server: SandboxServer):
    program = Program(
        source="import sys; d = sys.stdin.buffer.read(); sys.stdout.buffer.write(d); open('out', 'wb').write(d[::-1])",
        fetch=("out",),
    )
    data = bytes(range(256)) * 300
    result = using(server.url, lambda sandbox: sandbox.run(program, data))
    assert (result.stdout, result.files) == (data, {"out": data[::-1]})


def test_a_submission_runs_on_many_inputs_and_is_closed_when_its_block_ends(server: SandboxServer):
    async def work(sandbox: RemoteSandbox) -> tuple[list[bytes], int]:
        async with sandbox.open(Program(source="print(int(input()) * 2)")) as submission:
            outputs = [(await submission.run(b"%d\n" % number)).stdout for number in range(3)]
            return outputs, open_submissions(server.url)

    assert using(server.url, work) == ([b"0\n", b"2\n", b"4\n"], 1)
    assert open_submissions(server.url) == 0


def test_what_the_program_does_is_an_outcome_and_not_a_fault(server: SandboxServer):
    limits = Limits(wall_s=5, cpu_s=0.5)

    async def work(sandbox: RemoteSandbox) -> list[Outcome]:
        sources = ("while True: pass", "import os; os.abort()", "print('x' * 2_000_000)", "1 / 0")
        return [(await sandbox.run(Program(source=source, limits=limits))).outcome for source in sources]

    assert using(server.url, work) == ["cpu_limit", "signalled", "output_limit", "exited"]


def test_a_source_that_is_no_utf8_is_rejected_by_its_interpreter_and_not_by_us(server: SandboxServer):
    result = using(server.url, lambda sandbox: sandbox.run(Program(source="print('\ud800')")))
    assert (result.outcome, result.exit_code) == (Outcome.EXITED, 1)


def test_two_linked_programs_talk_over_their_socket(server: SandboxServer):
    read = "import socket; s = socket.socket(fileno=3); "
    judge = Program(source=read + "s.sendall(b'21'); print(int(s.recv(9)))")
    candidate = Program(source=read + "s.sendall(str(int(s.recv(9)) * 2).encode()); s.recv(1)")
    first, second = using(server.url, lambda sandbox: sandbox.run_linked(judge, candidate))
    assert (first.stdout, second.backend) == (b"42\n", "remote:namespaces:full")


def test_a_digest_is_the_far_backends_own(server: SandboxServer):
    async def work(sandbox: RemoteSandbox) -> bool:
        return (await sandbox.run(HELLO)).policy_digest == sandbox.policy_digest("python")

    assert using(server.url, work)


def test_a_language_that_is_not_offered_is_a_fault_that_says_so(server: SandboxServer):
    with pytest.raises(SandboxMisconfigured, match="klingon"):
        using(server.url, lambda sandbox: sandbox.run(Program(language="klingon", source="")))


def test_who_finds_every_room_taken_waits_and_is_served(server: SandboxServer):
    async def one(sandbox: RemoteSandbox, number: int) -> bytes:
        async with sandbox.open(Program(source=f"print({number})")) as submission:
            return (await submission.run()).stdout

    async def work(sandbox: RemoteSandbox) -> list[bytes]:
        return await asyncio.gather(*(one(sandbox, number) for number in range(9)))

    assert using(server.url, work) == [b"%d\n" % number for number in range(9)]


def test_a_client_that_goes_away_frees_what_it_held(server: SandboxServer):
    async def work(sandbox: RemoteSandbox) -> bytes:
        running = [asyncio.create_task(sandbox.run(SLEEPS)) for _ in range(4)]
        await asyncio.sleep(1)
        for task in running:
            task.cancel()
        return (await sandbox.run(HELLO)).stdout  # both turns were taken

    assert using(server.url, work) == b"hello\n"


def test_a_submission_whose_run_is_abandoned_is_closed(server: SandboxServer):
    async def work(sandbox: RemoteSandbox) -> None:
        async with sandbox.open(SLEEPS) as submission:
            running = asyncio.create_task(submission.run())
            await asyncio.sleep(1)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await asyncio.to_thread(until, lambda: open_submissions(server.url) == 0)

    using(server.url, work)


def test_a_submission_that_nobody_runs_is_closed_and_lost():
    async def work(sandbox: RemoteSandbox, url: str) -> None:
        async with sandbox.open(HELLO) as submission:
            assert (await submission.run()).succeeded
            await asyncio.to_thread(until, lambda: open_submissions(url) == 0)
            await submission.run()

    with serving("--idle-s", "1") as server, pytest.raises(SandboxLost, match="no such submission"):
        using(server.url, lambda sandbox: work(sandbox, server.url))


def test_a_server_that_is_killed_in_the_middle_of_a_run_gives_a_fault_and_no_result():
    async def work(sandbox: RemoteSandbox, server: SandboxServer) -> None:
        running = asyncio.create_task(sandbox.run(SLEEPS))
        await asyncio.sleep(1)
        await asyncio.to_thread(server.kill)
        with pytest.raises(SandboxFault) as fault:
            await running
        assert fault.value.retryable
        with pytest.raises(SandboxUnavailable):
            await sandbox.run(HELLO)

    with serving() as server:
        using(server.url, lambda sandbox: work(sandbox, server))


def test_a_server_that_is_down_is_passed_over(server: SandboxServer):
    async def work(sandbox: RemoteSandbox) -> list[bytes]:
        return [(await sandbox.run(HELLO)).stdout for _ in range(4)]

    assert using([f"http://127.0.0.1:{closed_port()}", server.url], work) == [b"hello\n"] * 4


def test_new_submissions_go_round_the_servers(server: SandboxServer):
    async def work(sandbox: RemoteSandbox, other: str) -> list[int]:
        async with sandbox.open(HELLO), sandbox.open(HELLO):
            return [open_submissions(server.url), open_submissions(other)]

    with serving() as other:
        assert using([server.url, other.url], lambda sandbox: work(sandbox, other.url)) == [1, 1]


def test_servers_that_would_judge_differently_are_refused(server: SandboxServer):
    policies = httpx.get(f"{server.url}/v1/policies").json()
    policies["languages"]["python"]["policy_digest"] = "sha256:" + "0" * 64
    with answering(policies) as other, pytest.raises(SandboxMisconfigured, match=f"{other} runs python with another"):
        using([server.url, other], lambda sandbox: sandbox.run(HELLO))


def test_no_server_at_all_is_unavailable():
    with pytest.raises(SandboxUnavailable, match="cannot be connected to"):
        using(f"http://127.0.0.1:{closed_port()}", lambda sandbox: sandbox.run(HELLO))


@pytest.mark.parametrize("url", ["", "127.0.0.1:8090", "ftp://host", "http://", "http://[::1"])
def test_what_is_no_address_is_refused_before_anything_is_sent(url: str):
    with pytest.raises(SandboxMisconfigured, match="address"):
        RemoteSandbox([url])


def test_a_server_told_to_leave_leaves_no_process_behind():
    async def work(sandbox: RemoteSandbox, server: SandboxServer) -> None:
        running = asyncio.create_task(sandbox.run(SLEEPS))
        async with sandbox.open(HELLO) as submission:
            await submission.run()
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(SandboxFault):
                await running

    with serving() as server:
        before = server.descendants()
        using(server.url, lambda sandbox: work(sandbox, server))
        assert before
        assert server.process.wait(30) == 0
        until(lambda: not any(map(alive, before)))
