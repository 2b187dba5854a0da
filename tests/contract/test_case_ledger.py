"""The corpus and the built-ins' cases only grow: a row that was added once stays as it is.

`seen_cases.json` holds the digest of every row. `ASSAY_ADD_CASES=1 pytest tests/contract/test_case_ledger.py` adds the
new ones; nothing takes one out.
"""

import json
import os
from importlib.resources import files
from pathlib import Path

import pytest

from rewarders.digests import digest

CASES = Path(str(files("rewarders.cases")))
LEDGER = Path(__file__).with_name("seen_cases.json")


def rows() -> dict[str, str]:
    """File and id -> digest."""
    found = {}
    for path in sorted(CASES.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            if row.get("kind") != "about":
                found[f"{path.stem}: {row['id']}"] = digest(row).removeprefix("sha256:")[:16]
    return found


@pytest.fixture(scope="module")
def seen() -> dict[str, str]:
    known: dict[str, str] = json.loads(LEDGER.read_text("utf-8")) if LEDGER.exists() else {}
    if os.environ.get("ASSAY_ADD_CASES"):
        known = {**rows(), **known}
        LEDGER.write_text(json.dumps(known, indent=0, sort_keys=True) + "\n", "utf-8")
    return known


def test_no_row_was_changed_or_taken_out(seen: dict[str, str]):
    now = rows()
    assert {name: now.get(name) for name in seen} == seen


def test_every_row_is_in_the_ledger(seen: dict[str, str]):
    assert sorted(set(rows()) - set(seen)) == []
