"""`env-server keys` as an operator types it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from env_server.keys.secret import KEY_FORM


def keys(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "env_server", "keys", *arguments, "--data-dir", str(folder / "data")]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def listed(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    done = keys(folder, "list", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_key_is_shown_once_and_alone_on_standard_output(tmp_path: Path):
    done = keys(tmp_path, "add", "--tenant", "acme", "--scope", "score", "--scope", "read", "--expires-in-days", "1.5")
    secret = done.stdout.strip()
    assert (done.returncode, done.stdout) == (0, f"{secret}\n")
    assert KEY_FORM.fullmatch(secret)
    assert "acme" in done.stderr
    assert secret not in done.stderr
    (key,) = listed(tmp_path)
    assert (key["id"], key["tenant"], key["scopes"], key["state"]) == (secret[:12], "acme", ["read", "score"], "active")
    assert key["expires"] > key["created"]
    assert secret[12:] not in json.dumps(key) + keys(tmp_path, "list").stdout


def test_a_key_for_a_trainer_is_what_there_is_without_options(tmp_path: Path):
    made = json.loads(keys(tmp_path, "add", "--json").stdout)
    assert KEY_FORM.fullmatch(made["key"])
    assert (made["tenant"], made["scopes"], made["expires"]) == ("default", ["score"], None)
    assert (made["items_per_second"], made["requests_at_once"]) == (None, None)


def test_a_key_is_revoked_and_rotated_by_its_id(tmp_path: Path):
    first, second = (json.loads(keys(tmp_path, "add", "--json", "--tenant", name).stdout) for name in "ab")
    assert keys(tmp_path, "revoke", first["id"]).returncode == 0
    rotated = json.loads(keys(tmp_path, "rotate", second["id"], "--overlap-hours", "0", "--json").stdout)
    states = {key["id"]: key["state"] for key in listed(tmp_path)}
    assert states == {first["id"]: "revoked", second["id"]: "expired", rotated["id"]: "active"}
    assert [key["tenant"] for key in listed(tmp_path, "--tenant", "b")] == ["b", "b"]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["revoke", "asy_nosuchid"], 1, "there is no key"),
        (["rotate", "asy_nosuchid"], 1, "there is no key"),
        (["add", "--tenant", "Acme"], 2, "--tenant is 'Acme'"),
        (["add", "--tenant", "аcme"], 2, "small letters"),
        (["add", "--tenant", "../x"], 2, "small letters"),
        (["add", "--tenant", "a\nb"], 2, "small letters"),
        (["add", "--scope", "everything"], 2, "everything"),
        (["add", "--items-per-second", "0"], 2, "--items-per-second is 0"),
        (["add", "--items-per-second", "0.0001"], 2, "give a number from 0.001"),
        (["add", "--items-per-second", "nan"], 2, "--items-per-second is nan"),
        (["add", "--expires-in-days", "0"], 2, "--expires-in-days is 0"),
        (["add", "--expires-in-days", "nan"], 2, "--expires-in-days is nan"),
        (["add", "--expires-in-days", "1e9"], 2, "a century at most"),
        (["add", "--requests-at-once", "0"], 2, "requests-at-once"),
    ],
)
def test_what_cannot_be_done_is_said_and_no_key_is_made(tmp_path: Path, arguments: list[str], status: int, says: str):
    done = keys(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    if (tmp_path / "data").exists():
        assert listed(tmp_path) == []
