"""Async rewarders with a real sandbox: what they are charged, what is recorded, and what they cannot leave behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import odd_async_rewarders as odd
import pytest
from raw_items import raw_item

from env_server.schemas import ScoreResponse
from env_server.service import Service
from sandboxes.errors import SandboxUnavailable

SPIN = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\nprint('spun')"


@pytest.fixture(autouse=True)
def _nothing_seen_yet():
    odd.SEEN.clear()
    odd.LEAKED.clear()


@pytest.fixture
def running_service(odd_service):
    """A service with the async rewarders and the embedded sandbox."""

    def opened(**sections):
        return odd_service(plugins={"modules": ["odd_rewarders", "odd_async_rewarders"]}, **sections)

    return opened


def run_item(text: str = "", **reference):
    return raw_item(text, "runs.v1", reference)


async def score(service: Service, *items) -> ScoreResponse:
    return ScoreResponse.model_validate_json(await service.engine.score(items))


def score_all(opened, *items, **sections) -> ScoreResponse:
    async def run() -> ScoreResponse:
        async with opened(**sections) as service:
            return await score(service, *items)

    return asyncio.run(run())


def outputs(item) -> list[str]:
    assert item.fault is None, item.fault
    return item.components[0].verdict.evidence["outputs"]


def test_what_a_program_prints_reaches_the_rewarder(running_service):
    (item,) = score_all(running_service, run_item(source="print(int(input()) ** 2)", stdins=["3\n", "12\n"])).items
    assert outputs(item) == ["9\n", "144\n"]


def test_a_component_is_charged_the_cpu_time_of_its_programs(running_service):
    (item,) = score_all(running_service, run_item(source=SPIN, stdins=["", ""])).items
    component = item.components[0]
    assert component.cpu_s >= 0.4
    assert component.cpu_s < component.wall_s + 0.4


def test_the_record_tells_what_ran_the_program(running_service):
    async def run() -> tuple[dict, str]:
        async with running_service() as service:
            (item,) = (await score(service, run_item(stdins=["", ""]))).items
            return service.reader.record(item.record_id), await in_the_loop(service)

    async def in_the_loop(service: Service) -> str:
        return service.sandbox.started().policy_digest("python")

    record, policy_digest = asyncio.run(run())
    sandbox = record["instrument"][0]["sandbox"]
    (instrument,) = sandbox["instruments"]
    assert sandbox["runs"] == 2
    assert instrument["backend"] == "namespaces:full"
    assert (instrument["language"], instrument["policy_digest"]) == ("python", policy_digest)
    assert instrument["limits"]["cpu_s"] == 5.0


def test_a_rewarder_that_ran_nothing_has_no_sandbox_on_its_record(running_service):
    async def run() -> dict:
        async with running_service() as service:
            (item,) = (await score(service, raw_item("x", "both.v1"))).items
            return service.reader.record(item.record_id)

    assert [part.get("sandbox") for part in asyncio.run(run())["instrument"]] == [None, None]


def test_two_linked_programs_talk_and_both_are_charged(running_service):
    async def run() -> tuple[ScoreResponse, dict]:
        async with running_service() as service:
            answer = await score(service, run_item("linked", stdins=[]))
            return answer, service.reader.record(answer.items[0].record_id)

    answer, record = asyncio.run(run())
    assert outputs(answer.items[0]) == ["40\n", ""]
    assert record["instrument"][0]["sandbox"]["runs"] == 2


def test_calls_that_each_want_a_second_sandbox_do_not_wait_for_each_other_for_ever(running_service):
    items = [run_item("a checker beside it") for _ in range(12)]
    answers = score_all(running_service, *items, sandbox={"parallel": 1}).items
    assert [outputs(answer) for answer in answers] == [["4\n", "checked\n"]] * 12


def test_waiting_for_a_turn_at_the_sandbox_is_not_on_the_clock(running_service):
    items = [run_item(source=SPIN) for _ in range(12)]
    answers = score_all(running_service, *items, sandbox={"parallel": 1}, calls={"timeout_s": 1.5}).items
    assert [outputs(answer) for answer in answers] == [["spun\n"]] * 12


@pytest.mark.parametrize("left", ["one left open", "one left running"])
def test_what_a_call_leaves_open_is_closed_and_its_turn_is_given_back(running_service, left: str):
    async def run() -> list[ScoreResponse]:
        async with running_service(sandbox={"parallel": 1}) as service:
            return [await score(service, run_item(left)) for _ in range(4)]

    assert [outputs(answer.items[0]) for answer in asyncio.run(run())] == [["4\n"]] * 4


def test_a_call_that_will_not_end_keeps_neither_its_sandbox_nor_its_turn(running_service, monkeypatch):
    monkeypatch.setattr("env_server.calling._UNWINDING_S", 0.2)
    items = [run_item("stubborn"), run_item()]
    stuck, next_one = score_all(running_service, *items, sandbox={"parallel": 1}, calls={"timeout_s": 1.0}).items
    assert stuck.fault is not None
    assert stuck.fault.message == "odd.runs did not answer within 1 s"
    assert outputs(next_one) == ["4\n"]


def test_tools_kept_beyond_their_call_run_nothing(running_service):
    async def run() -> str:
        async with running_service() as service:
            await score(service, run_item("keep them"))
            (kept,) = odd.LEAKED
            with pytest.raises(SandboxUnavailable) as refused:
                await service.engine.calls._thread.run(kept.run(odd.Program(source="print(1)")))
            return str(refused.value)

    assert asyncio.run(run()) == "the call that this sandbox belonged to is over"


def test_a_sandbox_that_is_killed_is_started_again_and_costs_nobody_a_reward(running_service):
    async def run() -> ScoreResponse:
        async with running_service() as service:
            await score(service, run_item())
            spinning = asyncio.create_task(score(service, *[run_item("second", source=SPIN)] * 4))
            while not odd.SEEN["second"]:
                await asyncio.sleep(0.01)
            warden = service.sandbox.started()._process
            os.kill(warden.pid, signal.SIGKILL)
            return await spinning

    assert [outputs(item) for item in asyncio.run(run()).items] == [["spun\n"]] * 4


def test_a_sandbox_that_cannot_be_built_leaves_the_rest_of_the_service_standing(running_service):
    async def run() -> tuple[ScoreResponse, str | None, str | None]:
        async with running_service(sandbox={"interpreter": "/bin/false"}) as service:
            return await score(service, run_item(), raw_item("x")), service.trouble, service.limitation

    answer, trouble, limitation = asyncio.run(run())
    program, pure = answer.items
    assert (program.reward, pure.reward) == (None, 0.01)
    assert program.fault is not None
    assert program.fault.kind == "SandboxFault"
    assert trouble is None
    assert limitation is not None
    assert limitation.startswith("tasks whose rewarders run programs are left unscored: ")


CONFIG = """
[plugins]
load = []
modules = ["odd_rewarders", "odd_async_rewarders"]
[rubrics."runs.v1"]
parts = [{ rewarder = "odd.runs" }]
[rubrics."waits.v1"]
parts = [{ rewarder = "odd.waits" }]
"""


def test_a_killed_server_leaves_no_process_of_a_program_that_was_running(make_server):
    server = make_server(toml=CONFIG)
    body = {"items": [run_item(source="import time\nwhile True: time.sleep(0.1)")] * 4}
    idle = len(server.descendants())
    sending = threading.Thread(target=lambda: post(server, body))
    sending.start()
    wait_until(lambda: len(server.descendants()) > idle)
    family = server.descendants()
    server.kill()
    sending.join()
    wait_until(lambda: not any(alive(pid) for pid in family))


def test_sigterm_lets_a_program_finish_and_leaves_with_0(make_server):
    server = make_server(toml=CONFIG)
    answers: list[httpx.Response] = []
    body = {"items": [run_item(source="import time\ntime.sleep(1.5)\nprint('slept')")]}
    idle = len(server.descendants())
    sending = threading.Thread(target=lambda: answers.extend(post(server, body)))
    sending.start()
    wait_until(lambda: len(server.descendants()) > idle)
    family = server.descendants()
    assert server.stop() == 0
    sending.join()
    assert answers[0].json()["items"][0]["reward"] == 1.0
    assert not any(alive(pid) for pid in family)


def test_readyz_says_what_a_service_without_its_sandbox_cannot_do(make_server):
    server = make_server(toml=CONFIG + '[sandbox]\ninterpreter = "/bin/false"\n')
    answer = httpx.get(f"{server.url}/readyz")
    assert answer.status_code == 200
    assert answer.json()["limitation"].startswith("tasks whose rewarders run programs are left unscored: ")


def test_a_sandbox_server_that_comes_up_late_is_used_from_then_on(running_service, monkeypatch, tmp_path: Path):
    monkeypatch.setattr("env_server.sandbox_keeper._RETRY_PAUSE_S", 0.2)
    (tmp_path / "token").write_text("a-secret-of-some-length\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    remote = {"urls": [f"http://127.0.0.1:{port}"], "token_file": tmp_path / "token"}

    async def run() -> tuple[ScoreResponse, ScoreResponse]:
        async with running_service(sandbox={"backend": "remote", "remote": remote}) as service:
            assert "no sandbox server can be reached" in (service.limitation or "")
            early = await score(service, run_item())
            with sandbox_server(port, tmp_path / "token"):
                await asyncio.to_thread(wait_until, lambda: service.limitation is None)
                return early, await score(service, run_item())

    early, late = asyncio.run(run())
    assert early.items[0].fault is not None
    assert (early.items[0].fault.kind, early.items[0].fault.attempt) == ("SandboxFault", 3)
    assert outputs(late.items[0]) == ["4\n"]


@contextmanager
def sandbox_server(port: int, token_file: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "sandboxes", "serve", "--port", str(port), "--token-file", str(token_file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def post(server, body: dict) -> list[httpx.Response]:
    """The answer, unless the server is killed first."""
    with suppress(httpx.HTTPError):
        return [httpx.post(f"{server.url}/v1/score", json=body, timeout=60)]
    return []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(true: Callable[[], bool], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)
