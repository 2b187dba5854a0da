"""`env-server sandbox` as a user types it: what it prints, and how it leaves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def env_server(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "env_server", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A configuration whose programs would be run by something that is no interpreter."""
    path = tmp_path / "broken.toml"
    path.write_text('[sandbox]\ninterpreter = "/bin/false"\n')
    return path


def test_the_doctor_finds_a_backend_that_may_be_used_and_tells_its_layers_and_languages():
    done = env_server("sandbox", "doctor", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["usable"], found["trouble"]) == (0, True, None)
    assert {"seccomp", "landlock", "network namespace"} <= {layer["name"] for layer in found["layers"]}
    assert {"python", "cpp", "javascript"} <= {language["name"] for language in found["languages"]}
    assert all(check["ok"] for check in found["conformance"])


@pytest.mark.parametrize("command", ["doctor", "attack"])
def test_a_backend_that_does_not_start_must_not_be_used(broken: Path, command: str):
    done = env_server("sandbox", command, "--config", broken)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "bin/false" in done.stdout + done.stderr


def test_an_attack_that_is_held_leaves_with_0():
    done = env_server("sandbox", "attack", "--only", "read_passwd", "--only", "network", "--json")
    results = json.loads(done.stdout)
    assert done.returncode == 0
    assert {result["category"] for result in results} == {"escape", "network"}
    assert all(result["contained"] for result in results)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["attack", "--only", "no_such_attack"], "no attack and no category of attacks is called 'no_such_attack'"),
        (["doctor", "--backend", "off"], "[sandbox] backend is 'off'"),
        (["doctor", "--backend", "chroot"], "sandbox.backend is 'chroot'"),
        (["doctor", "--backend", "remote"], "backend is 'remote', and remote.urls is empty"),
        (["doctor", "--backend", "docker"], "backend is 'docker', and docker.image is not given"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(arguments: list[str], says: str):
    done = env_server("sandbox", *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert says in done.stderr


def test_sweep_says_what_it_removed():
    done = env_server("sandbox", "sweep", "--json")
    assert (done.returncode, type(json.loads(done.stdout))) == (0, list)


def test_check_names_a_sandbox_that_cannot_be_used_and_leaves_with_1(broken: Path, tmp_path: Path):
    done = env_server("check", "--json", "--config", broken, "--data-dir", tmp_path / "data")
    lines = {line["name"]: line for line in json.loads(done.stdout)}
    assert done.returncode == 1
    assert [name for name, line in lines.items() if not line["ok"]] == ["sandbox"]
    assert "doctor" in lines["sandbox"]["detail"]
