"""`env-server audit recompute` and its neighbours from the command line: a rewarder upgrade that is gated on flips."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from raw_items import raw_item

CONFIG = """
[plugins]
load = []
modules = ["acme_words"]
[workers]
processes = 1
[sandbox]
backend = "off"
[rubrics."words.v1"]
parts = [{ rewarder = "acme.words", params = {} }]
"""
REWARDER = '''
from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder


@rewarder("acme.words", version="{version}")
def words(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Whether there are enough words."""
    count = len(completion.text.split())
    if completion.text == "raise" and "{version}" != "1.0":
        raise ValueError("new code, new bugs")
    enough = count >= {least}
    return Verdict(score=float(enough), reason="enough" if enough else "too_few", evidence={{"words": count}})
'''


class Environments:
    """One ledger, and as many environments as there are versions of a rewarder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "server.toml").write_text(CONFIG)

    def install(self, name: str, version: str, least: int) -> str:
        (self.folder / name).mkdir()
        (self.folder / name / "acme_words.py").write_text(REWARDER.format(version=version, least=least))
        return name

    def environment(self, name: str) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.folder / name), "COLUMNS": "200"}

    def command(self, *arguments: object) -> list[str]:
        given = [str(argument) for argument in arguments]
        config = [] if arguments[1] in ("verify", "show") else ["--config", "server.toml"]
        return [sys.executable, "-m", "env_server", *given, *config, "--data-dir", "data"]

    def run(self, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, check=False, cwd=self.folder,
            env=self.environment(name),
        )  # fmt: skip

    def score(self, name: str, *texts: str) -> list[str]:
        """Ids of the records; completions of four make a group."""
        items = [
            raw_item(text, "words.v1", group=f"g{place // 4}", sample=place % 4) for place, text in enumerate(texts)
        ]
        (self.folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
        done = self.run(name, "score", "items.jsonl", "--run", "demo")
        return [json.loads(line)["record_id"] for line in done.stdout.splitlines()]

    def recompute(self, name: str, *arguments: object) -> tuple[int, dict[str, Any]]:
        done = self.run(name, "audit", "recompute", "--json", *arguments)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    return Environments(tmp_path)


@pytest.fixture(scope="module")
def one_record(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    made = Environments(tmp_path_factory.mktemp("one"))
    made.score(made.install("old", "1.0", 2), "a b")
    return made


def test_an_upgrade_is_gated_on_how_many_rewards_it_flips(environments: Environments):
    old, new = environments.install("old", "1.0", 2), environments.install("new", "2.0", 3)
    ids = environments.score(old, *["a b"] * 2, *["a b c"] * 15, *["a"] * 3)
    code, report = environments.recompute(old, "--run", "demo")
    assert (code, report["results"]) == (0, {"equal": 20})
    code, report = environments.recompute(new, "--run", "demo")
    assert (code, report["results"], report["why"]) == (3, {"not_replayable": 20}, {"version_missing": 20})
    code, report = environments.recompute(new, "--run", "demo", "--against", "installed", "--out", "flips.jsonl")
    assert (code, report["results"]) == (1, {"different": 2, "equal": 18})
    assert (report["flips"]["count"], report["flips"]["down"], report["flips"]["value"]) == (2, 2, 0.1)
    assert report["flips"]["low"] == pytest.approx(0.0123, abs=1e-4)
    assert report["flips"]["high"] == pytest.approx(0.3170, abs=1e-4)
    assert (report["reward_change"]["value"], report["reward_change"]["clusters"]) == (-0.1, 5)
    assert {"rewarder": "acme.words", "then": "enough", "now": "too_few", "count": 2} in report["transitions"]
    flips = [json.loads(line) for line in (environments.folder / "flips.jsonl").read_text().splitlines()]
    assert {flip["id"] for flip in flips} == set(ids[:2])
    assert flips[0]["parts"] == [
        {
            "rewarder": "acme.words",
            "then": {"score": 1.0, "reason": "enough"},
            "now": {"score": 0.0, "reason": "too_few"},
            "version": ["1.0", "2.0"],
        }
    ]
    gated = ("--run", "demo", "--against", "2.0", "--rewarder", "acme.words", "--max-flips")
    assert environments.recompute(new, *gated, "0.15")[0] == 0
    assert environments.recompute(new, *gated, "0.05")[0] == 1
    assert environments.recompute(new, *gated, "0.15", "--sample", "20")[0] == 0, "all that match are no sample"
    assert environments.recompute(new, *gated, "0.15", "--sample", "19")[0] == 1, "of a sample, the upper end counts"
    refused = environments.run(new, "audit", "recompute", *gated, "0", "--sample", "19")
    assert (refused.returncode, "no sample can show" in refused.stderr) == (2, True)
    assert environments.run(new, "audit", "verify").returncode == 0


def test_other_code_under_the_same_version_does_not_speak_for_it(environments: Environments):
    old, patched = environments.install("old", "1.0", 2), environments.install("patched", "1.0", 3)
    (record_id,) = environments.score(old, "a b")
    code, report = environments.recompute(patched, "--run", "demo")
    assert (code, report["why"]) == (3, {"code_changed": 1})
    shown = environments.run(patched, "audit", "recompute", record_id)
    assert (shown.returncode, shown.stdout.count("sha256:") >= 2) == (3, True)
    assert environments.recompute(patched, "--against", "installed")[0] == 1


def test_a_new_version_that_fails_where_the_old_one_judged_does_not_pass(environments: Environments):
    old, new = environments.install("old", "1.0", 2), environments.install("new", "2.0", 2)
    environments.score(old, *["a b"] * 8, "raise", "raise")
    arguments = ("--against", "installed", "--max-flips", "0.1", "--out", "failed.jsonl")
    code, report = environments.recompute(new, *arguments)
    assert (code, report["results"]) == (3, {"could_not": 2, "equal": 8})
    lines = [json.loads(line) for line in (environments.folder / "failed.jsonl").read_text().splitlines()]
    assert [(line["result"], line["flip"]) for line in lines] == [("could_not", None)] * 2
    assert lines[0]["parts"][0]["detail"].startswith("acme.words raised ValueError")


def test_a_dry_run_needs_no_writer_and_leaves_no_record(environments: Environments):
    old = environments.install("old", "1.0", 2)
    environments.score(old, "a b", "a")
    before = sorted(path.name for path in (environments.folder / "data").rglob("*") if path.is_dir())
    assert environments.recompute(old, "--dry-run")[0] == 0
    assert sorted(path.name for path in (environments.folder / "data").rglob("*") if path.is_dir()) == before
    listed = json.loads(environments.run(old, "audit", "list", "--kind", "all", "--json").stdout)
    assert [row["kind"] for row in listed] == ["reward", "reward"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("recompute", "--against", "2.0"), 2, "--rewarder"),
        (("recompute", "--since", "yesterday"), 2, "--since"),
        (("recompute", "--step", "x"), 2, "--step"),
        (("recompute", "no-such-id"), 1, "no record"),
        (("recompute", "--out", "no/such/folder/flips.jsonl"), 2, "--out"),
        (("recompute", "--run", "none"), 3, "no records"),
        (("recompute", "--sample", "5"), 0, "1 equal"),
        (("list", "--run", "none"), 1, "no record matches"),
        (("list", "--kind", "odd"), 2, "--kind"),
        (("correct", "no-such-id", "--reward", "1", "--by", "a", "--reason", "b"), 1, "no record"),
        (("label", "no-such-id", "good", "--by", "", "--reason", "b"), 2, "by"),
    ],
)
def test_what_was_asked_wrongly_is_named(one_record: Environments, arguments: tuple[str, ...], code: int, says: str):
    done = one_record.run("old", "audit", *arguments)
    assert (done.returncode, says in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


def test_people_correct_label_and_take_back_and_the_record_shows_it(environments: Environments):
    old = environments.install("old", "1.0", 2)
    ids = environments.score(old, "a b", "a")

    def audit(*arguments: object) -> Any:
        done = environments.run(old, "audit", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    audit("correct", ids[0], "--reward", "0.5", "--by", "ann", "--reason", "too strict")
    for by, first, second in (("ann", "good", "bad"), ("bob", "good", "bad")):
        for record_id, label in zip(ids, (first, second), strict=True):
            audit("label", record_id, label, "--by", by, "--reason", "read it")
    wrong = audit("label", ids[0], "bad", "--by", "eve", "--reason", "misread")
    agreed = audit("labels")
    assert (agreed["labels"], agreed["people"], agreed["alpha"]["value"] < 1) == (5, 3, True)
    audit("invalidate", wrong["id"], "--by", "eve", "--reason", "I misread it")
    agreed = audit("labels")
    assert (agreed["labels"], agreed["invalid"], agreed["shared"], agreed["alpha"]["value"]) == (4, 1, 2, 1.0)
    kinds = [note["kind"] for note in audit("show", ids[0])["notes"]]
    assert kinds == ["correction", "label", "label", "label"]
    table = environments.run(old, "audit", "list").stdout
    assert all(record_id in table for record_id in ids)
    assert "acme.words:too_few" in table


def test_a_recomputation_that_is_killed_leaves_a_ledger_that_verifies(environments: Environments):
    old = environments.install("old", "1.0", 2)
    environments.score(old, *["a b"] * 600)
    process = subprocess.Popen(
        environments.command("audit", "recompute", "--json"), cwd=environments.folder, text=True,
        stdout=subprocess.PIPE, env=environments.environment(old), start_new_session=True,
    )  # fmt: skip
    try:
        _until_something_was_replayed(environments.folder / "data" / "ledger.sqlite3")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert environments.run(old, "audit", "verify").returncode == 0
    code, report = environments.recompute(old)
    assert (code, report["results"]) == (0, {"equal": 600})


def _until_something_was_replayed(database: Path) -> None:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        while not connection.execute("SELECT count(*) FROM records WHERE kind = 'replay'").fetchone()[0]:
            time.sleep(0.01)
