"""Clients that send batches with keys while something is killed, and the three promises that hold nevertheless."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from raw_items import raw_item
from sqlalchemy import select
from watched_runs import until

from env_server.audit.database_source import DatabaseSource
from env_server.audit.verifying import verify
from env_server.client import RewardClient, ServiceUnreachable
from env_server.ledger.opening import open_to_read
from env_server.ledger.place import Place
from env_server.ledger.reader import LedgerReader
from env_server.ledger.schema import records
from env_server.schemas import Item

SIZES = (1, 7, 16)


@dataclass
class Load:
    """Clients that send batches with keys, again and again until each is answered, and remember the answers."""

    url: str
    answered: dict[str, list[str]] = field(default_factory=dict)
    """Record ids by the key of their request. Each request is a group of its key's name."""
    _stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["Load"]:
        threads = [threading.Thread(target=self._send, args=(size,)) for size in SIZES]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()

    def _send(self, size: int) -> None:
        with RewardClient(self.url, timeout_s=30, retries=0) as client:
            while not self._stopped.is_set():
                key = str(uuid4())
                items = [Item.model_validate({**raw_item("x" * (n + 1)), "group": key}) for n in range(size)]
                self._send_until_answered(client, key, items)

    def _send_until_answered(self, client: RewardClient, key: str, items: list[Item]) -> None:
        while not self._stopped.is_set():
            try:
                answer = client.score(items, idempotency_key=key)
            except ServiceUnreachable:
                time.sleep(0.05)
            else:
                self.answered[key] = [item.record_id for item in answer.items if item.record_id]
                return


def check_promises(place: Place, load: Load) -> None:
    with closing(LedgerReader(place)) as reader:
        acknowledged = [record for ids in load.answered.values() for record in ids]
        missing = [record for record in acknowledged if reader.record(record) is None]
    assert missing == []
    sizes = _records_by_key(place)
    twice = {key: size for key, size in sizes.items() if size not in SIZES}
    assert twice == {}
    wrong = {key for key, ids in load.answered.items() if len(ids) != sizes[key]}
    assert wrong == set(), "a key has other records than its answer names"
    assert verify(DatabaseSource(place), processes=1).findings == ()


def _records_by_key(place: Place) -> Counter[str]:
    database = open_to_read(place)
    with database.connect().execution_options(read_only=True) as connection:
        found = Counter(connection.execute(select(records.c.group)).scalars())
    database.dispose()
    return found


def some_answers(load: Load, more: int = 3) -> None:
    wanted = len(load.answered) + more
    until(lambda: len(load.answered) >= wanted)
