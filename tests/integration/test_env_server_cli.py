"""The `env-server` command as a user types it: what it prints, and how it leaves."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from raw_items import raw_item

ODD = """
[plugins]
load = []
modules = ["odd_rewarders"]
[rubrics."length.v1"]
parts = [{ rewarder = "odd.length" }]
[rubrics."obeys.v1"]
parts = [{ rewarder = "odd.obeys" }]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "server.toml"
    path.write_text(ODD)
    return path


def env_server(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "env_server", *map(str, arguments)]
    wide = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=wide)


def write_items(path: Path, *items: object) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def test_score_grades_a_file_without_a_server_and_records_it(tmp_path: Path, config: Path):
    items = write_items(tmp_path / "items.jsonl", *(raw_item("x" * n) for n in range(1, 301)))
    out, data = tmp_path / "results.jsonl", tmp_path / "data"
    done = env_server("score", items, "--out", out, "--config", config, "--data-dir", data, "--run", "offline")
    assert (done.returncode, done.stderr) == (0, "300 scored; mean reward 0.8350\n")
    results = [json.loads(line) for line in out.read_text().splitlines()]
    assert [result["reward"] for result in results[:3]] == [0.01, 0.02, 0.03]

    shown = env_server("audit", "show", results[0]["record_id"], "--data-dir", data, "--json")
    assert json.loads(shown.stdout)["run"] == "offline"
    verified = env_server("audit", "verify", "--data-dir", data, "--json")
    report = json.loads(verified.stdout)
    assert (verified.returncode, report["records"], report["findings"]) == (0, 300, [])


def test_score_answers_bad_lines_in_their_place_and_leaves_with_1(tmp_path: Path, config: Path):
    items = write_items(tmp_path / "items.jsonl", raw_item("x"), {"task": 1}, raw_item("raise", "obeys.v1"))
    items.write_text(items.read_text() + '{"broken\n' + json.dumps(raw_item("xx")) + "\n")
    done = env_server("score", items, "--config", config, "--no-ledger", cwd=tmp_path)
    statuses = [json.loads(line)["status"] for line in done.stdout.splitlines()]
    assert statuses == ["scored", "invalid", "unscored", "invalid", "scored"]
    assert done.returncode == 1
    assert not (tmp_path / "assay-data").exists()


def test_verify_names_what_was_done_to_the_ledger_and_leaves_with_1(tmp_path: Path, config: Path):
    items = write_items(tmp_path / "items.jsonl", *[raw_item("x")] * 5)
    data = tmp_path / "data"
    env_server("score", items, "--out", tmp_path / "o", "--config", config, "--data-dir", data)
    with sqlite3.connect(data / "ledger.sqlite3") as ledger:
        ledger.execute("update records set reward = 1.0 where seq = 1")
        ledger.execute("delete from records where seq = 3")
    done = env_server("audit", "verify", "--data-dir", data, "--json")
    assert done.returncode == 1
    found = {(finding["damage"], finding["seq"]) for finding in json.loads(done.stdout)["findings"]}
    assert {("changed", 1), ("removed", 3)} <= found


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["serve", "--config", "missing.toml"], 2, "cannot read missing.toml"),
        (["serve", "--host", "0.0.0.0"], 2, "outside loopback"),
        (["serve", "--port", "99999"], 2, "server.port is 99999"),
        (["score", "missing.jsonl"], 2, "cannot read missing.jsonl"),
        (["plugins", "show", "acme.none"], 2, "there is no rewarder 'acme.none'"),
        (["audit", "verify"], 3, "there is no ledger in assay-data"),
        (["audit", "verify", "--data-dir", "."], 3, "there is no ledger in ."),
        (["audit", "show", "x", "--data-dir", "nowhere"], 3, "there is no ledger in nowhere"),
    ],
)
def test_a_wrong_command_says_what_is_wrong_and_what_to_do(tmp_path: Path, arguments: list[str], code: int, says: str):
    done = env_server(*arguments, cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert says in done.stderr
    assert "hint:" in done.stderr or "--port" in arguments
    assert list(tmp_path.iterdir()) == []


def test_the_input_is_never_overwritten(tmp_path: Path, config: Path):
    items = write_items(tmp_path / "items.jsonl", raw_item("x"))
    done = env_server("score", items, "--out", items, "--config", config, "--no-ledger")
    assert (done.returncode, "the file to be read" in done.stderr) == (2, True)
    assert json.loads(items.read_text()) == raw_item("x")


def test_items_can_come_through_a_pipe(tmp_path: Path, config: Path):
    items = write_items(tmp_path / "items.jsonl", *[raw_item("x")] * 3)
    command = [sys.executable, "-m", "env_server", "score", "/dev/stdin", "--config", str(config), "--no-ledger"]
    with items.open("rb") as stdin, subprocess.Popen(["cat"], stdin=stdin, stdout=subprocess.PIPE) as pipe:
        done = subprocess.run(command, stdin=pipe.stdout, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)


def test_a_spent_cpu_budget_is_a_verdict_whatever_signals_were_inherited(tmp_path: Path, config: Path):
    items = write_items(tmp_path / "items.jsonl", raw_item("burn", "obeys.v1"))
    program = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
    )
    command = [sys.executable, "-m", "env_server", "score", str(items), "--config", str(config), "--no-ledger"]
    done = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert json.loads(done.stdout)["components"][0]["verdict"]["reason"] == "too_costly"


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[server]\nprot = 1", "server.prot is 1: Extra inputs are not permitted"),
        ('[workers]\nprocesses = "many"', "workers.processes is 'many'"),
        ("[server", "is not valid TOML"),
        ('[plugins]\nload = ["acme"]', "no installed distribution named 'acme'"),
        ("ledger = 5", "ledger is 5"),
        ("[workers]\nmax_waiting_jobs = 10", "a full request never fits"),
        ('[rubrics."a.v1"]\nparts = [{rewarder = "acme.none"}]', "no rewarder 'acme.none' is loaded"),
    ],
)
def test_check_names_the_key_the_value_and_the_file(tmp_path: Path, toml: str, says: str):
    path = tmp_path / "bad.toml"
    path.write_text(toml)
    done = env_server("check", "--config", path, "--data-dir", tmp_path / "data")
    assert done.returncode in (1, 2)
    assert says in (done.stdout + done.stderr).replace("\n", " ")


def test_check_passes_on_a_fresh_machine_without_a_file(tmp_path: Path):
    done = env_server("check", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert [line["ok"] for line in json.loads(done.stdout)] == [True] * 6


def test_plugins_list_says_who_supplied_what():
    done = env_server("plugins", "list")
    assert done.returncode == 0
    assert "maths.equal" in done.stdout
    assert "assay " in done.stdout
    described = json.loads(env_server("plugins", "show", "layout.length", "--json").stdout)
    assert described["name"] == "layout.length"
    assert described["code_digest"].startswith("sha256:")


def test_a_port_that_is_taken_is_an_error_and_not_a_traceback(make_server):
    server = make_server()
    done = env_server("serve", "--port", server.port, "--data-dir", server.data_dir)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{server.port}: Address already in use" in done.stderr
