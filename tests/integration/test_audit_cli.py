"""`env-server audit` as a user types it: what it prints, what it leaves behind, and how it leaves."""

import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from ledgers import database, note, reward, write, writing

from env_server.cli import app, exit_codes
from env_server.ledger.entry import Entry, Kind
from env_server.ledger.laying import lay_out

ENTRIES = [reward(number, run="a" if number % 2 else "b") for number in range(40)]


def name(entry: Entry) -> str:
    return str(UUID(bytes=entry.id))


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def audit(*arguments: object) -> Done:
    """The command in this process: there are many here, and each process takes a second to start."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left, exit_codes():
        app(["audit", *map(str, arguments)])
    return Done(int(left.value.code or 0), out.getvalue(), err.getvalue())


def said(*arguments: object) -> Any:
    done = audit(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("audit") / "data"
    with writing(data) as tree:
        for begin in range(0, 40, 20):
            tree.commit([lay_out(ENTRIES[begin : begin + 20])])
            tree.sign()
    write(data, [note(Kind.LABEL, ENTRIES[4].id, label="good", reason="", by="me")])
    return data


@pytest.fixture
def data(untouched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untouched, tmp_path / "data"))


def test_verify_says_what_it_checked_and_leaves_with_0(untouched):
    done = audit("verify", "--data-dir", untouched)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ok: 41 records" in done.stdout
    assert "signed until" in done.stdout
    report = said("verify", "--data-dir", untouched)
    assert (report["records"], report["findings"]) == (41, [])


def test_verify_names_what_was_done_and_leaves_with_1(data):
    with database(data) as ledger:
        ledger.execute("UPDATE records SET reward = 1.0 WHERE seq = 7")
        ledger.execute("DELETE FROM records WHERE seq = 9")
    done = audit("verify", "--data-dir", data)
    assert done.returncode == 1
    assert f"7 {name(ENTRIES[7])}: its columns or its outcome are not what its leaf was made of" in done.stdout
    assert "record 9 is missing" in done.stdout
    assert "does not verify" in done.stdout


def test_verify_leaves_with_3_where_there_is_no_ledger_and_with_2_where_it_is_asked_wrongly(tmp_path, untouched):
    assert audit("verify", "--data-dir", tmp_path).returncode == 3
    assert audit("verify", tmp_path / "none").returncode == 2
    assert audit("verify", "--data-dir", untouched, "--key", "x").returncode == 2
    assert audit("verify", "--data-dir", untouched, "--checkpoint", tmp_path / "none").returncode == 2


def test_keys_and_checkpoints_kept_elsewhere_tell_another_ledger(untouched, data, tmp_path):
    [writer] = said("writers", "--data-dir", untouched)
    (tmp_path / "key").write_text(writer["key"] + "\n")
    (tmp_path / "checkpoint").write_text(writer["checkpoint"])
    kept = ("--key", tmp_path / "key", "--checkpoint", tmp_path / "checkpoint")
    assert audit("verify", "--data-dir", untouched, *kept).returncode == 0
    shutil.rmtree(data)
    write(data, ENTRIES[:30])
    assert audit("verify", "--data-dir", data).returncode == 0
    done = audit("verify", "--data-dir", data, *kept)
    assert done.returncode == 1
    assert "its key is none of those that were given" in done.stdout
    assert "the ledger has no writer" in done.stdout


def test_a_proof_is_written_and_checked_without_the_ledger(untouched, tmp_path):
    with database(untouched) as ledger:
        [(older,)] = ledger.execute("SELECT note FROM checkpoints WHERE size = 20").fetchall()
    (tmp_path / "older").write_text(older)
    [writer] = said("writers", "--data-dir", untouched)
    proof = tmp_path / "proof.json"
    done = audit("prove", name(ENTRIES[3]), "--since", tmp_path / "older", "--data-dir", untouched, "--out", proof)
    assert (done.returncode, done.stdout) == (0, "")
    done = audit("check-proof", proof)
    assert done.returncode == 0
    assert f"record {name(ENTRIES[3])} with reward 1.0 by maths.v1 is number 3 in the tree of 41 records" in done.stdout
    assert "the signed tree of 20 records is the beginning" in done.stdout
    assert "hold that against a key you trust" in done.stderr
    assert "give --checkpoint" in done.stderr
    assert said("check-proof", proof, "--key", writer["key"])["valid"]
    done = audit("check-proof", proof, "--key", writer["key"], "--checkpoint", tmp_path / "older")
    assert (done.returncode, done.stderr) == (0, "")
    proof.write_text(proof.read_text().replace("maths.v1", "maths.v2"))
    done = audit("check-proof", proof, "--key", writer["key"])
    assert (done.returncode, "proves nothing" in done.stdout) == (1, True)
    proof.write_text("{}")
    assert audit("check-proof", proof).returncode == 2


def test_a_proof_of_a_history_that_was_made_for_it_does_not_fit_a_kept_checkpoint(untouched, data, tmp_path):
    [writer] = said("writers", "--data-dir", untouched)
    (tmp_path / "kept").write_text(writer["checkpoint"])
    with database(data) as ledger:
        for table in ("records", "details", "checkpoints", "writers"):
            ledger.execute(f"DELETE FROM {table}")
    for checkpoint in (data / "writers").glob("*/checkpoint"):
        checkpoint.unlink()
    write(data, ENTRIES[::-1])
    proof = tmp_path / "proof"
    assert audit("prove", name(ENTRIES[3]), "--data-dir", data, "--out", proof).returncode == 0
    assert audit("check-proof", proof, "--key", writer["key"]).returncode == 0, "the key signed it"
    done = audit("check-proof", proof, "--key", writer["key"], "--checkpoint", tmp_path / "kept")
    assert (done.returncode, "does not say how its tree of 40" in " ".join(done.stdout.split())) == (1, True)
    write(data, [reward(40)])
    audit("prove", name(ENTRIES[3]), "--data-dir", data, "--out", proof)
    done = audit("check-proof", proof, "--key", writer["key"], "--checkpoint", tmp_path / "kept")
    assert (done.returncode, "another one than the kept checkpoint's" in " ".join(done.stdout.split())) == (1, True)


def test_show_is_read_by_people_and_text_stays_text(tmp_path):
    entry = reward(3)
    evil = {"text": "[red]loud[/]\x1b[31m\nsecond line", "finish_reason": "stop"}
    entry = Entry(**{**entry.__dict__, "completion": json.dumps(evil).encode()})
    write(tmp_path, [entry, note(Kind.LABEL, entry.id, label="good", reason="clear", by="me")])
    done = audit("show", name(entry), "--data-dir", tmp_path)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    for part in ("What is 0 + 1?", "reference", "[red]loud[/]", "second line", "maths.equal 1.0: 1 equal", "JudgeFault",
                 "evidence", "label 2", '"by": "me"', "number 0 of assay/"):  # fmt: skip
        assert part in done.stdout
    assert said("show", name(entry), "--data-dir", tmp_path)["completion"] == evil
    assert audit("show", "01a1fe90-0dc7-7592-8956-6a5fe9c799d3", "--data-dir", tmp_path).returncode == 1


def test_an_export_is_written_and_verified(untouched, tmp_path):
    out = tmp_path / "out"
    done = audit("export", out, "--run", "a", "--data-dir", untouched)
    assert (done.returncode, done.stdout.startswith("20 records in")) == (0, True)
    assert "ok: 20 records" in audit("verify", out).stdout
    assert audit("export", out, "--data-dir", untouched).returncode == 2


def test_a_sealed_export_verifies_and_no_file_of_it_can_be_changed(data, tmp_path):
    out = tmp_path / "sealed"
    sealed = said("seal", out, "--data-dir", data)
    assert (sealed["records"], sealed["findings"], sealed["trees"][0]["size"]) == (41, [], 41)
    assert audit("verify", out).returncode == 0
    for path in sorted(out.iterdir()):
        whole = path.read_bytes()
        if path.suffix == ".parquet":
            path.write_bytes(whole + b"\0")
            assert audit("verify", out).returncode in (1, 3)
        else:
            path.write_text(path.read_text().replace("1", "2", 1))
            assert audit("verify", out).returncode in (1, 3)
        path.write_bytes(whole)
    (out / "manifest.note").unlink()
    done = audit("verify", out)
    assert (done.returncode, "the seal cannot be opened" in done.stdout) == (1, True)


def test_a_ledger_that_was_changed_is_not_sealed(data, tmp_path):
    with database(data) as ledger:
        ledger.execute("UPDATE records SET leaf = zeroblob(32) WHERE seq = 3")
    done = audit("seal", tmp_path / "sealed", "--data-dir", data)
    assert (done.returncode, "are not those it signed" in done.stderr) == (3, True)
    assert not (tmp_path / "sealed").exists()


def test_a_writer_that_was_killed_before_it_kept_a_checkpoint_has_signed_all_the_same(tmp_path):
    data = tmp_path / "data"
    write(data, ENTRIES[:3])
    with database(data) as ledger:
        ledger.execute("DELETE FROM checkpoints")
    (data / "writers" / "1" / "checkpoint").unlink()
    assert said("verify", "--data-dir", data)["trees"][0]["checkpoints"] == 1
    assert said("seal", tmp_path / "sealed", "--data-dir", data)["trees"][0]["size"] == 3


def test_nothing_is_erased_without_a_yes(data):
    done = audit("erase", name(ENTRIES[4]), "--why", "asked to", "--data-dir", data)
    assert (done.returncode, "1 records of" in done.stderr) == (2, True)
    assert not said("show", name(ENTRIES[4]), "--data-dir", data)["erased"]


def test_erased_records_are_gone_and_the_ledger_verifies(data, tmp_path):
    proof = tmp_path / "proof"
    audit("prove", name(ENTRIES[4]), "--data-dir", data, "--out", proof)
    done = audit("erase", name(ENTRIES[4]), "--why", "asked to", "--by", "dpo", "--yes", "--data-dir", data)
    assert done.returncode == 0
    assert "erased what 2 records held: 1 bodies" in done.stdout
    assert "out of reach: backups, exports" in done.stderr
    assert audit("verify", "--data-dir", data).returncode == 0
    assert audit("check-proof", proof).returncode == 0
    assert audit("check-proof", proof).stdout == audit("check-proof", proof).stdout
    shown = said("show", name(ENTRIES[4]), "--data-dir", data)["erased_by"]
    assert (shown["why"], shown["by"], shown["records"]) == ("asked to", "dpo", 2), "with its label, so by place"
    assert "asked to" in audit("show", name(ENTRIES[4]), "--data-dir", data).stdout
    again = said("prove", name(ENTRIES[4]), "--data-dir", data)
    assert again["inclusion"]["leaf_data"] == json.loads(proof.read_text())["inclusion"]["leaf_data"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "one of them"),
        (("--run", "a", "--task", "t1"), 2, "one of them"),
        (("--run", "typo"), 2, "there is no record of run 'typo'"),
        (("--task", "typo"), 2, "there is no record of task_id 'typo'"),
        (("x",), 1, "there is no record 'x'"),
        (("01a1fe90-0dc7-7592-8956-6a5fe9c799d3",), 1, "there is no record 01a1"),
    ],
)
def test_an_erasure_that_is_asked_for_wrongly_erases_nothing(untouched, arguments, code, says):
    done = audit("erase", *arguments, "--why", "x", "--yes", "--data-dir", untouched)
    assert (done.returncode, says in " ".join(done.stderr.split())) == (code, True), done.stderr
    assert said("verify", "--data-dir", untouched)["trees"][0]["erased"] == 0


def test_an_erased_run_can_be_erased_again_and_each_erasure_is_named_by_its_id(data):
    first = said("erase", "--run", "a", "--why", "asked to", "--yes", "--data-dir", data)
    assert said("show", first["said_in"][0], "--data-dir", data)["id"] == first["said_in"][0]
    assert said("erase", "--run", "a", "--why", "asked to", "--yes", "--data-dir", data)["records"] == 0


@pytest.mark.parametrize(
    "command",
    [("show",), ("prove",), ("erase", "--why", "x", "--yes"), ("label", "good", "--by", "a", "--reason", "b")],
)
def test_a_record_that_is_not_there_is_1_wherever_it_is_asked_for(untouched, command):
    unknown = "01a1fe90-0dc7-7592-8956-6a5fe9c799d3"
    done = audit(command[0], unknown, *command[1:], "--data-dir", untouched)
    assert (done.returncode, "there is no record" in done.stderr) == (1, True), done.stderr


def test_a_checkpoint_that_a_power_failure_left_empty_is_passed_by(data):
    (data / "writers" / "1" / "checkpoint").write_text("")
    assert audit("verify", "--data-dir", data).returncode == 0


def test_what_people_say_is_redacted_by_the_rules_of_the_service(data, tmp_path):
    config = tmp_path / "server.toml"
    config.write_text('[redaction]\nbuilt_in = ["email"]\n')
    why = ("--by", "ann@example.org", "--reason", "for bob@example.org", "--config", config)
    made = said("label", name(ENTRIES[5]), "good", *why, "--data-dir", data)
    shown = said("show", made["id"], "--data-dir", data)["detail"]
    assert (shown["by"], shown["reason"]) == ("█" * 15, "for " + "█" * 15)
    assert [(one["rule"], one["count"]) for one in shown["redactions"]] == [("email", 2)]


def test_old_rewards_lose_their_bodies_and_flagged_ones_keep_them(data):
    kept = said("retain", "--bodies-older-than", "1d", "--yes", "--data-dir", data)
    assert kept["records"] == 0
    gone = said("retain", "--bodies-older-than", "0s", "--yes", "--data-dir", data)
    assert gone["records"] == 39, "one is labelled"
    assert not said("show", name(ENTRIES[4]), "--data-dir", data)["erased"]
    assert said("verify", "--data-dir", data)["trees"][0]["erased"] == 39
    flagged = said("retain", "--bodies-older-than", "0s", "--flagged-older-than", "0s", "--yes", "--data-dir", data)
    assert flagged["records"] == 2, "the record and its label"
