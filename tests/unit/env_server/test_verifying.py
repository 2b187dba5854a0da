"""Verifying on several processes, when one of them dies."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ledgers import reward, write

from env_server.audit.database_source import DatabaseSource
from env_server.audit.verifying import verify
from env_server.ledger.place import Place
from rewarders.errors import LedgerError


class Deadly(DatabaseSource):
    """Ends the process that it is sent to, as the kernel does for want of memory."""

    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return os._exit, (9,)


def test_a_process_that_dies_is_an_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, [reward(number) for number in range(4)])
    monkeypatch.setattr("env_server.audit.verifying._WORTH_PROCESSES", 1)
    with pytest.raises(LedgerError, match="a process that was verifying died") as died:
        verify(Deadly(Place(tmp_path)), processes=2)
    assert "--processes 1" in died.value.hint
