"""Kill -9 of the server and of its workers under load: nothing answered is lost, nobody is left behind."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from raw_items import raw_item
from watched_runs import alive, until

from env_server.audit.database_source import DatabaseSource
from env_server.audit.verifying import verify
from env_server.client import RewardClient, ServiceUnreachable
from env_server.ledger.place import Place
from env_server.ledger.reader import LedgerReader
from env_server.schemas import Item, Status

ITEMS = [Item.model_validate(raw_item("x" * (n + 1))) for n in range(32)]
EXPECTED = [(n + 1) / 100 for n in range(32)]


class Load:
    """Threads that send batches until told to stop, and remember what was answered."""

    def __init__(self, url: str, *, retries: int) -> None:
        self.record_ids: list[str] = []
        self.rewards: list[list[float | None]] = []
        self.unscored = 0
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(url, retries)) for _ in range(3)]
        for thread in self._threads:
            thread.start()

    def _send(self, url: str, retries: int) -> None:
        with RewardClient(url, timeout_s=30, retries=retries) as client, suppress(ServiceUnreachable):
            while not self._stopped.is_set():
                answer = client.score(ITEMS)
                self.record_ids += [item.record_id for item in answer.items if item.record_id]
                self.rewards.append([item.reward for item in answer.items])
                self.unscored += sum(item.status is Status.UNSCORED for item in answer.items)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def wait_until(true: Callable[[], bool], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


@pytest.mark.parametrize("seed", range(3))
def test_no_answered_record_is_missing_after_the_server_was_killed(make_server, seed: int):
    server = make_server()
    family = server.descendants()
    load = Load(server.url, retries=0)
    wait_until(lambda: len(load.record_ids) > 200)
    time.sleep(random.Random(seed).uniform(0, 0.2))
    server.kill()
    load.stop()

    place = Place(server.data_dir)
    verification = verify(DatabaseSource(place), processes=1)
    assert verification.findings == ()
    assert verification.records >= len(load.record_ids)
    with closing(LedgerReader(place)) as reader:
        assert all(reader.record(record_id) for record_id in load.record_ids)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in family))


def test_a_request_whose_server_was_killed_is_answered_once_by_the_next_one(make_server):
    server = make_server()
    load = Load(server.url, retries=12)
    wait_until(lambda: len(load.rewards) > 3)
    server.kill()
    answered = len(load.rewards)
    server.start()
    wait_until(lambda: len(load.rewards) > answered + 3)
    load.stop()

    assert all(rewards == EXPECTED for rewards in load.rewards)
    verification = verify(DatabaseSource(Place(server.data_dir)), processes=1)
    assert verification.findings == ()
    again = "a batch that was sent again was recorded again"
    assert verification.records == len(ITEMS) * len(load.rewards), again


def test_a_key_is_remembered_by_the_next_server(make_server):
    server = make_server()
    with RewardClient(server.url) as client:
        first = client.score(ITEMS, idempotency_key="kept")
        server.kill()
        server.start()
        assert client.score(ITEMS, idempotency_key="kept") == first


def test_killed_workers_are_replaced_and_every_item_is_still_answered(make_server):
    server = make_server()
    load = Load(server.url, retries=0)
    wait_until(lambda: len(load.rewards) > 3)
    for _ in range(6):
        if workers := server.workers():
            os.kill(random.Random(0).choice(workers), signal.SIGKILL)
        time.sleep(0.1)
    answered = len(load.rewards)
    wait_until(lambda: len(load.rewards) > answered + 3)
    load.stop()
    assert load.unscored == 0
    assert all(rewards == EXPECTED for rewards in load.rewards)


def test_a_killed_nursery_is_replaced_with_all_its_workers(make_server):
    server = make_server()
    load = Load(server.url, retries=0)
    wait_until(lambda: len(load.rewards) > 3)
    (nursery, *_) = server.descendants()
    os.kill(nursery, signal.SIGKILL)
    wait_until(lambda: nursery not in server.descendants() and len(server.descendants()) >= 3)
    answered = len(load.rewards)
    wait_until(lambda: len(load.rewards) > answered + 3)
    load.stop()
    assert all(reward in (None, EXPECTED[n]) for rewards in load.rewards for n, reward in enumerate(rewards))
    assert load.rewards[-1] == EXPECTED


def test_code_that_changed_under_a_running_service_does_not_run_under_its_old_digest(make_server, tmp_path: Path):
    server = make_server("hotfix")
    plug_in = tmp_path / "hotfix.py"
    with RewardClient(server.url) as client:
        items = [Item.model_validate(raw_item("x", "hotfix.v1"))]
        assert client.score(items).items[0].reward == 1.0
        plug_in.write_text(plug_in.read_text().replace("score=1.0", "score=0.25"))
        (nursery, *_), workers = server.descendants(), server.workers()
        os.kill(nursery, signal.SIGKILL)
        until(lambda: not any(map(alive, workers)))
        (item,) = client.score(items).items
        until(lambda: not client.ready())
    assert item.status is Status.UNSCORED
    assert item.fault is not None
    assert "not the ones this service loaded" in item.fault.message


def test_sigterm_while_starting_ends_it(make_server, tmp_path: Path):
    server = make_server(started=False)
    time.sleep(0.6)
    server.process.terminate()
    assert server.process.wait(timeout=60) in (0, -signal.SIGTERM)


def test_sigterm_finishes_what_is_under_way_and_leaves_with_0(make_server):
    server = make_server()
    answers: list[float | None] = []

    def send() -> None:
        with RewardClient(server.url, retries=0) as client:
            answers.extend(
                item.reward for item in client.score([Item.model_validate(raw_item("burn", "obeys.v1"))]).items
            )

    thread = threading.Thread(target=send)
    idle = server.cpu_ticks()
    thread.start()
    wait_until(lambda: server.cpu_ticks() > idle + 10)
    assert server.stop() == 0
    thread.join()
    assert answers == [0.0]
