"""Kill -9 of the server and of PostgreSQL at random moments under load: the ledger keeps its three promises.

No acknowledged record is missing, no idempotency key has its records twice, and every tree verifies. A few moments are
tried by default; `ASSAY_KILLS=20` tries twenty of each.
"""

import os
import random
import signal
import time
from pathlib import Path

import httpx
import pytest
from keyed_load import Load, check_promises, some_answers
from raw_items import raw_item
from sqlalchemy import text
from watched_runs import until

from env_server.audit.database_source import DatabaseSource
from env_server.audit.verifying import verify
from env_server.ledger.opening import open_to_read
from env_server.ledger.place import Place

MOMENTS = range(int(os.environ.get("ASSAY_KILLS", "2")))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_server_with_sqlite_keeps_its_promises(make_server, moment: int):
    server = make_server()
    with Load(server.url).running() as load:
        some_answers(load, 10)
        time.sleep(random.Random(moment).uniform(0, 0.3))
        server.kill()
        server.start()
        some_answers(load)
    assert server.stop() == 0
    check_promises(Place(server.data_dir), load)
    (only,) = verify(DatabaseSource(Place(server.data_dir)), processes=1).trees
    assert only.newest, "the next server did not go on with the tree of the one that was killed"


def ledger_in(postgres, server_toml: str) -> tuple[Place, str]:
    url = postgres.make_database()
    return Place(None, url), f'{server_toml}\n[ledger]\nurl = "{url}"\n'


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_server_with_postgres_keeps_its_promises(make_server, server_toml: str, postgres, moment: int):
    place, toml = ledger_in(postgres, server_toml)
    server = make_server(toml=toml)
    with Load(server.url).running() as load:
        some_answers(load, 10)
        time.sleep(random.Random(moment).uniform(0, 0.3))
        server.kill()
        server.start()
        some_answers(load)
    assert server.stop() == 0
    check_promises(place, load)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_postgres_fails_closed_and_then_goes_on(make_server, server_toml: str, postgres, moment: int):
    place, toml = ledger_in(postgres, server_toml)
    server = make_server(toml=toml)
    with Load(server.url).running() as load:
        some_answers(load, 10)
        time.sleep(random.Random(moment).uniform(0, 0.3))
        postgres.kill()
        time.sleep(0.2)
        answered = len(load.answered)
        time.sleep(0.2)
        assert len(load.answered) == answered, "something was answered that cannot have been recorded"
        postgres.start()
        some_answers(load)
    assert server.stop() == 0
    check_promises(place, load)


def test_without_its_database_a_service_is_not_ready_and_then_is_although_nobody_asks_it(
    make_server, server_toml: str, postgres
):
    _, toml = ledger_in(postgres, server_toml)
    server = make_server(toml=toml)
    item = {"items": [raw_item("x", "length.v1")]}
    with httpx.Client(base_url=server.url, timeout=60) as client:
        assert client.post("/v1/score", json=item).status_code == client.get("/readyz").status_code == 200
        postgres.kill()
        try:
            assert client.post("/v1/score", json=item).status_code == client.get("/readyz").status_code == 503
        finally:
            postgres.start()
        until(lambda: client.get("/readyz").status_code == 200)


def test_a_killed_backend_of_postgres_loses_one_commit_at_most(make_server, server_toml: str, postgres):
    """The server's connection alone is cut, in the middle of what it does."""
    place, toml = ledger_in(postgres, server_toml)
    server = make_server(toml=toml)
    database = open_to_read(place)
    with Load(server.url).running() as load:
        for moment in range(5):
            some_answers(load)
            time.sleep(random.Random(moment).uniform(0, 0.05))
            with database.begin() as connection:
                others = "datname = current_database() and pid <> pg_backend_pid()"
                connection.execute(text(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}"))
    database.dispose()
    assert server.stop() == 0
    check_promises(place, load)


def test_two_servers_on_one_postgres_keep_a_tree_each(make_server, server_toml: str, postgres, tmp_path: Path):
    place, toml = ledger_in(postgres, server_toml)
    one, other = make_server(toml=toml), make_server(toml=toml, data_dir=tmp_path / "elsewhere")
    with Load(one.url).running() as load, Load(other.url).running() as other_load:
        some_answers(load, 10)
        one.process.send_signal(signal.SIGKILL)
        some_answers(other_load, 10)
        one.kill()
        one.start()
        some_answers(load)
    assert (one.stop(), other.stop()) == (0, 0)
    check_promises(place, load)
    check_promises(place, other_load)
    trees = verify(DatabaseSource(place), processes=1).trees
    assert sorted(bool(tree.size) for tree in trees) == [True, True]
