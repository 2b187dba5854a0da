"""`serve --workers 2`: processes that share an address, and a supervisor that keeps them."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from keyed_load import Load, check_promises, some_answers
from raw_items import raw_item
from watched_runs import alive, children, until

from env_server.client import RewardClient
from env_server.ledger.place import Place
from env_server.ledger.reader import LedgerReader
from env_server.record_filter import RecordFilter
from env_server.schemas import Item

Server = Any
FICKLE = '''
from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder


@rewarder("acme.fickle", version="1.0")
def fickle(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Always the same."""
    return Verdict(score=1.0, reason="done")
'''
ITEM = Item.model_validate(raw_item("four"))


@pytest.fixture
def toml(server_toml: str) -> str:
    return server_toml.replace("[server]", "[server]\nworkers = 2").replace("processes = 2", "processes = 3")


@pytest.fixture(autouse=True)
def shared_dirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the processes' metrics are, and nothing is behind them."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    until(lambda: not any(folder.iterdir()))


def servers_of(server: Server) -> list[int]:
    return children(server.process.pid)


def both_serve(server: Server) -> None:
    """Each of them has workers, and so has come up."""
    until(lambda: [len(children(pid)) > 0 for pid in servers_of(server)] == [True, True])


def score(server: Server, *, times: int = 1) -> None:
    for _ in range(times):
        httpx.post(f"{server.url}/v1/score", json={"items": [raw_item("four")]}, timeout=60).raise_for_status()


def counted(server: Server, name: str) -> float:
    lines = httpx.get(f"{server.url}/metrics", timeout=60).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


def test_any_of_them_answers_for_all_in_metrics(make_server: Callable[..., Server], toml: str, shared_dirs: Path):
    server = make_server(toml=toml)
    one, other = servers_of(server)
    for silent, times in ((one, 3), (other, 4)):
        os.kill(silent, signal.SIGSTOP)
        score(server, times=times)
        os.kill(silent, signal.SIGCONT)
    assert counted(server, "assay_items_total") == 7
    until(lambda: counted(server, "assay_workers_alive") == counted(server, "assay_workers_wanted"))
    os.kill(one, signal.SIGKILL)
    until(lambda: one not in servers_of(server))
    assert counted(server, "assay_items_total") == 7, "what a dead one counted has been counted"
    both_serve(server)
    assert counted(server, "assay_items_total") == 7
    (folder,) = shared_dirs.iterdir()
    assert not list(folder.glob(f"*_{one}.db"))
    assert (folder / "counter_0.db").exists(), "of all that have ended"
    assert server.stop() == 0


def test_connections_that_stay_are_spread_evenly_over_them(make_server: Callable[..., Server], toml: str):
    server = make_server(toml=toml)
    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        clients = [stack.enter_context(httpx.Client(base_url=server.url)) for _ in range(8)]
        list(pool.map(lambda client: client.get("/healthz"), clients))
        taken = [connections_of(pid, server.port) for pid in servers_of(server)]
        assert sum(taken) == 8
        assert min(taken) >= 2, "on a machine that is idle it is 4"
        one, _ = servers_of(server)
        os.kill(one, signal.SIGSTOP)  # has as many as the other, and is stuck
        more = [stack.enter_context(httpx.Client(base_url=server.url)) for _ in range(8)]
        assert {client.get("/healthz").status_code for client in more} == {200}
        os.kill(one, signal.SIGCONT)


def connections_of(pid: int, port: int) -> int:
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    served = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "01"}
    found = 0
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found += os.readlink(one) in served
    return found


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_one_of_them_is_killed_under_load_and_nothing_is_lost_or_there_twice(
    make_server: Callable[..., Server], toml: str, database: str, request: pytest.FixtureRequest
):
    url = request.getfixturevalue("postgres").make_database() if database == "postgres" else None
    server = make_server(toml=f'{toml}\n[ledger]\nurl = "{url}"\n' if url else toml)
    with Load(server.url).running() as load:
        for moment in range(3):
            some_answers(load, 10)
            time.sleep(random.Random(moment).uniform(0, 0.3))
            victim = random.Random(moment).choice(servers_of(server))
            os.kill(victim, signal.SIGKILL)
            until(lambda victim=victim: victim not in servers_of(server))
            both_serve(server)
        some_answers(load, 10)
    assert server.stop() == 0
    check_promises(Place(server.data_dir, url), load)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_one_key_at_the_same_time_at_both_is_one_answer_and_one_record(
    make_server: Callable[..., Server], toml: str, database: str, request: pytest.FixtureRequest
):
    url = request.getfixturevalue("postgres").make_database() if database == "postgres" else None
    server = make_server(toml=f'{toml}\n[ledger]\nurl = "{url}"\n' if url else toml)
    races, racers = 10, 4
    with ThreadPoolExecutor(racers) as pool:
        for race in range(races):
            together = threading.Barrier(racers)

            def ask(together: threading.Barrier = together, key: str = f"race-{race}") -> str:
                with RewardClient(server.url) as client:  # a connection of its own, to whoever takes it
                    together.wait()
                    return client.score([ITEM], idempotency_key=key).model_dump_json()

            answers = [asked.result() for asked in [pool.submit(ask) for _ in range(racers)]]
            assert len(set(answers)) == 1
    assert server.stop() == 0
    with closing(LedgerReader(Place(server.data_dir, url))) as reader:
        assert reader.matching(RecordFilter()) == races


def test_what_is_wrong_with_the_configuration_is_said_once_and_ends_it(
    make_server: Callable[..., Server], toml: str, capfd: pytest.CaptureFixture[str]
):
    server = make_server(toml=toml.replace('"odd.length"', '"odd.lenght"'), started=False)
    assert server.process.wait(timeout=60) == 2
    said = capfd.readouterr().err
    assert said.count("error:") == 1
    assert "odd.lenght" in said
    assert "giving up: a server process ended before it could serve" in said


def test_one_that_cannot_start_again_leaves_the_work_to_the_others_until_there_is_none(
    make_server: Callable[..., Server], toml: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    (tmp_path / "fickle.py").write_text(FICKLE)
    server = make_server(toml=toml.replace('"odd_rewarders"]', '"odd_rewarders", "fickle"]'))
    one, other = servers_of(server)
    (tmp_path / "fickle.py").write_text("raise RuntimeError('as told')")
    os.kill(one, signal.SIGKILL)
    tries = "a server process ended"
    said = ""
    while said.count(tries) < 3:  # it is tried again, and again
        score(server)
        said += capfd.readouterr().err
    os.kill(other, signal.SIGKILL)
    assert server.process.wait(timeout=60) == 2
    assert "giving up" in capfd.readouterr().err


@contextmanager
def requests_under_way(server: Server) -> Iterator[None]:
    """Four of them, that are answered whatever happens in the block."""
    answers: list[float | None] = []

    def ask() -> None:
        with RewardClient(server.url, retries=0) as client:
            answers.extend(
                item.reward for item in client.score([Item.model_validate(raw_item("burn", "obeys.v1"))]).items
            )

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for one in asking:
        one.start()
    until(lambda: counted(server, "assay_http_requests") == 5)
    yield
    for one in asking:
        one.join()
    assert answers == [0.0] * 4


def test_sigterm_lets_each_finish_what_is_under_way(make_server: Callable[..., Server], toml: str):
    server = make_server(toml=toml)
    below = server.descendants()
    with requests_under_way(server):
        assert server.stop() == 0
    assert not any(map(alive, below))


def test_sigterm_to_all_processes_there_are_again_and_again_lets_each_finish_what_is_under_way(
    make_server: Callable[..., Server], toml: str
):
    server = make_server(toml=toml)
    below = server.descendants()
    with requests_under_way(server):
        server.process.terminate()
        for pid in below * 3:  # whoever stops a control group signals all that is in it
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0
    assert not any(map(alive, below))


def test_servers_whose_supervisor_was_killed_finish_what_is_under_way(make_server: Callable[..., Server], toml: str):
    server = make_server(toml=toml)
    below = server.descendants()
    with requests_under_way(server):
        server.process.kill()
        for pid in servers_of(server):  # as the system may tell them of it, and who looks after the service
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    until(lambda: not any(map(alive, below)))


def test_one_that_does_nothing_any_more_is_replaced(
    make_server: Callable[..., Server], toml: str, capfd: pytest.CaptureFixture[str]
):
    server = make_server(toml=toml.replace("workers = 2", "workers = 2\nsilent_s = 2"))
    stuck, other = servers_of(server)
    os.kill(stuck, signal.SIGSTOP)
    until(lambda: stuck not in servers_of(server))
    both_serve(server)
    assert other in servers_of(server)
    score(server)
    assert "does nothing any more" in capfd.readouterr().err
    assert server.stop() == 0


def test_a_second_signal_ends_all_of_them_at_once(
    make_server: Callable[..., Server], toml: str, capfd: pytest.CaptureFixture[str]
):
    server = make_server(toml=toml.replace("[workers]", "[workers]\ncall_timeout_s = 1000"))
    below = server.descendants()

    def ask() -> None:
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{server.url}/v1/score", json={"items": [raw_item("sleep", "obeys.v1")]}, timeout=60)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: counted(server, "assay_http_requests") == 2)
    server.process.terminate()
    until(lambda: "stopping" in capfd.readouterr().err)
    assert server.stop() == 128 + signal.SIGTERM
    asking.join()
    until(lambda: not any(map(alive, below)))


def test_servers_whose_supervisor_was_killed_leave_by_themselves_and_clean_up(
    make_server: Callable[..., Server], toml: str, shared_dirs: Path
):
    server = make_server(toml=toml)
    below = server.descendants()
    score(server)
    assert len(list(shared_dirs.iterdir())) == 1
    server.kill()
    until(lambda: not any(map(alive, below)))
    assert list(shared_dirs.iterdir()) == []


def test_sigterm_to_one_of_them_replaces_it_in_peace(make_server: Callable[..., Server], toml: str):
    server = make_server(toml=toml)
    old, other = servers_of(server)
    with Load(server.url).running() as load:
        some_answers(load, 3)
        os.kill(old, signal.SIGTERM)
        until(lambda: old not in servers_of(server))
        both_serve(server)
        some_answers(load, 3)
    assert other in servers_of(server)
    assert server.stop() == 0
    check_promises(Place(server.data_dir), load)
