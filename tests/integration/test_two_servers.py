"""Two servers on one ledger: a key that is raced over both has one answer, and one set of records."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from raw_items import raw_item

from env_server.audit.database_source import DatabaseSource
from env_server.audit.verifying import verify
from env_server.ledger.place import Place
from env_server.ledger.reader import LedgerReader
from env_server.record_filter import RecordFilter

RACES = 12


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_one_key_raced_over_two_servers_has_one_answer_and_is_recorded_once(
    make_server, server_toml: str, database: str, tmp_path: Path, request: pytest.FixtureRequest
):
    """With PostgreSQL as on two hosts: each has a data directory of its own."""
    url = request.getfixturevalue("postgres").make_database() if database == "postgres" else None
    toml = f'{server_toml}\n[ledger]\nurl = "{url}"\n' if url else server_toml
    servers = make_server(toml=toml), make_server(toml=toml, data_dir=tmp_path / ("elsewhere" if url else "data"))
    with ThreadPoolExecutor(2) as racers:

        def raced(number: int) -> list[httpx.Response]:
            body = {"items": [raw_item("4", group=f"g{number}")], "run": {"id": "race"}}
            headers = {"idempotency-key": f"race-{number}"}
            asked = [racers.submit(httpx.post, f"{one.url}/v1/score", json=body, headers=headers) for one in servers]
            return [one.result() for one in asked]

        answers = [raced(number) for number in range(RACES)]
    assert {response.status_code for pair in answers for response in pair} == {200}
    assert all(one.content == other.content for one, other in answers)
    assert [server.stop() for server in servers] == [0, 0]
    place = Place(servers[0].data_dir, url)
    with closing(LedgerReader(place)) as reader:
        assert reader.matching(RecordFilter(run="race")) == RACES
    assert verify(DatabaseSource(place), processes=1).findings == ()
