"""docs/writing-a-rewarder.md works as it stands: its files are written, its commands run, its output compared."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from env_server.config import ServiceConfig
from rewarders.testing import CHECKS
from rewarders.testing.cases import KINDS, About, Case

DOCUMENT = (Path(__file__).parents[2] / "docs/writing-a-rewarder.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
SHIMS = {
    "python": 'exec "{venv}/bin/python-of-venv" "$@"',
    "env-server": 'exec "{venv}/bin/python-of-venv" -m env_server "$@"',
    "pytest": 'exec "{venv}/bin/python-of-venv" -m pytest -p no:cacheprovider "$@"',
    "pip": 'verb=$1; shift; exec "{ours}" -m pip --python "{venv}/bin/python-of-venv" '
    '--disable-pip-version-check "$verb" --quiet --no-index --no-deps --no-build-isolation "$@"',
}


def venv_like_ours(folder: Path) -> Path:
    """An environment in which what is installed here can be imported, and where more can be installed."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    ours = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
    return folder


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    venv = venv_like_ours(tmp_path / "venv")
    (venv / "bin/python-of-venv").symlink_to(os.readlink(venv / "bin/python"))
    for name, command in SHIMS.items():
        path = venv / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text("#!/bin/sh\n" + command.format(venv=venv, ours=sys.executable) + "\n")
        path.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COLUMNS")}
    return {**environment, "PATH": f"{venv}/bin:{os.environ['PATH']}", "COLUMNS": "200"}


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def pattern(expected: str) -> re.Pattern[str]:
    """`…` stands for anything, and a line that is nothing else for any lines."""
    return re.compile(".*?".join(map(re.escape, expected.strip().split("…"))), re.DOTALL)


def commands(block: str) -> list[tuple[str, str]]:
    """Each with what it prints."""
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in re.split(r"^\$ ", block, flags=re.M)[1:]]


class Reader:
    """Does what the page says, in a folder."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment, self.port = folder, environment, free_port()
        self.servers: list[subprocess.Popen[str]] = []

    def follow(self, language: str, name: str, body: str) -> None:
        body = body.replace("8080", self.port)
        if name:
            (self.folder / name).write_text(body, "utf-8")
        elif language == "console":
            for command, expected in commands(body):
                said = self.run(command)
                assert pattern(expected).search(said), f"$ {command}\n{said}"

    def run(self, command: str) -> str:
        if command.endswith("&"):
            return self.serve(command.removesuffix("&"))
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env=self.environment, text=True, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        return done.stdout

    def serve(self, command: str) -> str:
        log = (self.folder / "log").open("w+")
        server = subprocess.Popen(
            command, shell=True, cwd=self.folder, env=self.environment, text=True, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        self.servers.append(server)
        while "ready" not in (said := (self.folder / "log").read_text()) and server.poll() is None:
            time.sleep(0.1)
        log.close()
        return said

    def leave(self) -> None:
        for server in self.servers:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=60)


def test_the_page_works_as_it_stands(tmp_path: Path, shell: dict[str, str]):
    reader = Reader(tmp_path, shell)
    try:
        for language, name, body in BLOCKS:
            reader.follow(language, name, body)
    finally:
        reader.leave()


def test_the_rewarder_of_the_page_has_at_most_thirty_lines():
    programs = [body for language, name, body in BLOCKS if language == "python" and name]
    assert len(programs) == 2
    assert all(body.count("\n") <= 30 for body in programs)


def test_every_configuration_on_the_page_is_valid():
    for language, _, body in BLOCKS:
        if language == "toml":
            ServiceConfig.model_validate(tomllib.loads(body))


def rows(header: str) -> list[list[str]]:
    lines = DOCUMENT.partition(f"| {header} |\n")[2].splitlines()[1:]
    end = next((place for place, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[:end]]


def test_the_twelve_checks_are_told_as_they_are():
    assert rows("check | what it demands") == [[f"`{check.name}`", check.demand] for check in CHECKS]


def test_every_kind_and_every_field_of_a_case_is_told():
    assert [row[0].strip("`") for row in rows("kind | what must come of it")] == list(KINDS)
    told = {name for row in rows("field | what it is for") for name in re.findall(r"`(\w+)`", row[0])}
    first = {"id", "kind", "completion", "reference", "params"}
    assert told | first == set(Case.model_fields)
    about = {row[0].strip("`") for row in rows("field | default | what it says")}
    assert about | {"kind"} == set(About.model_fields)
