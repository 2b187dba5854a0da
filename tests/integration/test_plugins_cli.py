"""`env-server plugins`: new, test and audit, as a user types them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = '''
from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder


class Reference(BaseModel, extra="forbid"):
    answer: str


@rewarder("acme.same", version="1.0", reference=Reference)
def same(completion: Completion, reference: Reference, params: BaseModel) -> Verdict:
    """1 if the completion is the answer."""
    right = completion.text.strip() == reference.answer
    return Verdict(score=float(right), reason="compared", evidence={"chars": len(completion.text)})
'''
CASES = [
    {"id": "right", "kind": "full", "completion": "forty-two", "reference": {"answer": "forty-two"}},
    {"id": "wrong", "kind": "zero", "completion": "forty-three", "reference": {"answer": "forty-two"}},
    {
        "id": "both",
        "kind": "cheat",
        "completion": "forty-two or not",
        "reference": {"answer": "forty-two"},
        "note": "a",
    },
    {"id": "none", "kind": "bad_task"},
]


def env_server(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "env_server", "plugins", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """A package with cases of its own, beside a configuration that loads it alone."""
    package = tmp_path / "acme"
    (package / "cases").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "same.py").write_text(GOOD)
    (package / "cases/acme.same.jsonl").write_text("".join(json.dumps(case) + "\n" for case in CASES))
    (tmp_path / "env.toml").write_text('[plugins]\nload = []\nmodules = ["acme.same"]\n')
    return tmp_path


def test_a_rewarder_that_keeps_its_contract_leaves_with_0(acme: Path):
    done = env_server(acme, "test", "acme.same", "-c", "env.toml", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [check["ok"] for check in json.loads(done.stdout)["checks"]] == [True] * 12


def test_one_that_breaks_it_leaves_with_1_and_says_where(acme: Path):
    source = acme / "acme/same.py"
    source.write_text(source.read_text().replace("completion.text.strip() == reference.answer", "True"))
    done = env_server(acme, "test", "acme.same", "-c", "env.toml")
    assert done.returncode == 1
    assert "wrong: score 1, compared; a zero case is to score 0" in done.stdout
    assert env_server(acme, "audit", "-c", "env.toml").returncode == 1


def test_the_audit_has_a_score_card_with_exact_bounds_for_each(acme: Path):
    done = env_server(acme, "audit", "-c", "env.toml", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (card,) = json.loads(done.stdout)["rewarders"]
    checks = {check["check"]: check for check in card["checks"]}
    assert (card["rewarder"], card["version"], card["ok"]) == ("acme.same", "1.0", True)
    assert checks["null_policy"]["upper_bound"] == pytest.approx(1 - 0.05 ** (1 / checks["null_policy"]["trials"]))
    assert set(card["digests"]) == {"code", "suite", "corpus"}


def test_one_without_cases_cannot_be_examined(acme: Path):
    (acme / "acme/cases/acme.same.jsonl").unlink()
    assert env_server(acme, "audit", "-c", "env.toml").returncode == 3
    done = env_server(acme, "test", "acme.same", "-c", "env.toml")
    assert (done.returncode, "acme.same brings no cases" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("test", "acme.other", "-c", "env.toml"), "there is no rewarder 'acme.other'"),
        (("new", "Acme Rewards"), "'Acme Rewards' is no name for a plug-in"),
        (("new", "acme"), "acme is there already"),
    ],
)
def test_what_was_asked_wrongly_leaves_with_2(acme: Path, arguments: tuple[str, ...], said: str):
    done = env_server(acme, *arguments)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
