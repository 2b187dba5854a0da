"""`env-server audit` on a ledger of several tenants, which the operator alone sees as a whole."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from ledgers import reward, write

TENANTS = ("acme", "other", None)
ENTRIES = [reward(number, tenant=TENANTS[number % 3], run="ab"[number % 2]) for number in range(12)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write(tmp_path / "data", ENTRIES)
    return tmp_path / "data"


def audit(data: Path, *arguments: str, status: int = 0) -> Any:
    command = [sys.executable, "-m", "env_server", "audit", *arguments, "--data-dir", str(data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout) if status == 0 else done.stderr.replace("\n", " ")


def ids(**columns: Any) -> set[str]:
    wanted = [one for one in ENTRIES if all(getattr(one, name) == value for name, value in columns.items())]
    return {str(UUID(bytes=one.id)) for one in wanted}


def test_the_operator_lists_one_tenant_or_everybody(data: Path):
    assert {row["id"] for row in audit(data, "list")} == ids()
    assert {row["id"] for row in audit(data, "list", "--tenant", "acme")} == ids(tenant="acme")
    assert {row["id"] for row in audit(data, "list", "--tenant", "acme", "--run", "a")} == ids(tenant="acme", run="a")


@pytest.mark.parametrize("narrower", [{}, {"run": "a"}])
def test_a_tenant_is_erased_and_the_others_are_not(data: Path, narrower: dict[str, str]):
    chosen = ["--tenant", "acme", *(one for name, value in narrower.items() for one in (f"--{name}", value))]
    gone = ids(tenant="acme", **narrower)
    assert audit(data, "erase", *chosen, "--why", "left", "--yes")["records"] == len(gone)
    assert {one for one in ids() if audit(data, "show", one)["erased"]} == gone
    assert audit(data, "verify")["records"] == len(ENTRIES) + 1


def test_an_erasure_that_could_mean_another_is_refused(data: Path):
    assert "no record of tenant 'nobody'" in audit(data, "erase", "--tenant", "nobody", "--why", "x", status=2)
    assert "no record of" in audit(data, "erase", "--tenant", "acme", "--run", "c", "--why", "x", "--yes", status=2)
    (one, *_) = ids(tenant="acme")
    assert "leave out --tenant" in audit(data, "erase", one, "--tenant", "acme", "--why", "x", "--yes", status=2)
    assert not any(audit(data, "show", one)["erased"] for one in ids())
