"""The ledger's writer and reader on a real database."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from env_server.ledger.chain import Draft, draft
from env_server.ledger.reader import LedgerReader
from env_server.ledger.writer import KeptReply, LedgerWriter
from rewarders.errors import LedgerError


def record(name: str) -> Draft:
    return draft({"id": name, "at": "now", "task_id": "t", "rubric": "m.v1", "status": "scored", "reward": 1.0})


@contextmanager
def writer(folder: Path, keep_replies_s: float = 3600) -> Iterator[LedgerWriter]:
    with closing(LedgerWriter(folder, max_waiting_records=1000, keep_replies_s=keep_replies_s)) as opened:
        yield opened


def append_all(ledger: LedgerWriter, *appends: tuple[list[Draft], KeptReply | None]) -> list[BaseException | None]:
    async def run() -> list[BaseException | None]:
        return await asyncio.gather(*(ledger.append(*each) for each in appends), return_exceptions=True)

    return asyncio.run(run())


def count(folder: Path) -> int:
    with closing(LedgerReader(folder)) as reader:
        assert reader.verify().findings == ()
        return reader.count()


def test_a_record_that_cannot_be_written_harms_nobody_it_was_committed_with(tmp_path: Path):
    bad = record("bad")
    bad = replace(bad, columns={**bad.columns, "step": 2**70})
    with writer(tmp_path) as ledger:
        outcomes = append_all(ledger, ([record("a")], None), ([bad], None), ([record("b")], None))
        assert [type(outcome) for outcome in outcomes] == [type(None), LedgerError, type(None)]
        assert ledger.alive
        assert append_all(ledger, ([record("c")], None)) == [None]
    assert count(tmp_path) == 3


def test_two_servers_on_one_directory_write_one_chain(tmp_path: Path):
    with writer(tmp_path) as one, writer(tmp_path) as other:
        for n in range(5):
            assert append_all(one, ([record(f"one{n}")], None)) == [None]
            assert append_all(other, ([record(f"other{n}")], None)) == [None]
    assert count(tmp_path) == 10


def test_a_key_that_another_server_took_first_is_refused_alone_and_leaves_no_record(tmp_path: Path):
    reply = KeptReply("key", "digest", b"{}")
    with writer(tmp_path) as one, writer(tmp_path) as other:
        assert append_all(one, ([record("first")], reply)) == [None]
        outcomes = append_all(other, ([record("second")], reply), ([record("third")], None))
        assert [type(outcome) for outcome in outcomes] == [LedgerError, type(None)]
    assert count(tmp_path) == 2


def test_an_answer_is_kept_for_its_time_and_no_longer(tmp_path: Path):
    with writer(tmp_path) as ledger:
        append_all(ledger, ([record("a")], KeptReply("key", "digest", b"{}")))
        assert ledger.kept_reply("key") == ("digest", b"{}")
    with writer(tmp_path, keep_replies_s=1e-6) as ledger:
        assert ledger.kept_reply("key") is None


@pytest.mark.parametrize("name", ["with ? mark", "a=b&c", "spaces and ünïcode"])
def test_the_ledger_is_where_the_path_says_whatever_is_in_it(tmp_path: Path, name: str):
    with writer(tmp_path / name) as ledger:
        append_all(ledger, ([record("a")], None))
    assert (tmp_path / name / "ledger.sqlite3").exists()
    assert count(tmp_path / name) == 1


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_a_file_that_is_no_ledger_is_an_error_of_ours(tmp_path: Path, content: bytes):
    (tmp_path / "ledger.sqlite3").write_bytes(content)
    with closing(LedgerReader(tmp_path)) as reader, pytest.raises(LedgerError, match="cannot be read"):
        reader.verify()
