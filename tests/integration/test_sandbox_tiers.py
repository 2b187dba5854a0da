"""The namespaces backend as an ordinary user, and its weaker tier: what a server can be that is not root on a machine
of its own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from watched_runs import NOBODY, python_for_everybody

import sandboxes

NEEDED = ("annotated_types", "pydantic", "pydantic_core", "typing_inspection", "typing_extensions.py")
SCRIPT = """
import asyncio, json, os, sys
from sandboxes.conformance import conformance
from sandboxes.errors import SandboxMisconfigured
from sandboxes.namespaces import NamespaceSandbox

async def main(tier):
    sandbox = NamespaceSandbox(tier=tier, python=os.path.realpath(sys.executable))
    try:
        await sandbox.start()
        layers = {layer.name: layer.holds for layer in await sandbox.layers()}
        lacking = [name for name, holds in layers.items() if not holds]
        checks = [check async for check in conformance(sandbox, ["python", "bash", "c"], lacking)]
    except SandboxMisconfigured as why:
        return {"misconfigured": str(why)}
    finally:
        await sandbox.close()
    unmet = [f"{check.name}: {check.detail}" for check in checks if not check.ok]
    return {"layers": layers, "checked": len(checks), "unmet": unmet}

print(json.dumps(asyncio.run(main(sys.argv[1])) | {"uid": os.geteuid()}))
"""


ANYBODY = 10001
"""Unlike NOBODY not who everybody is that a user namespace has no name for."""


@pytest.fixture(scope="module")
def python() -> str:
    path = python_for_everybody()
    if path is None:
        pytest.skip("no Python 3.11 or newer on this machine that every user can read: ordinary users are not tested")
    return path


@pytest.fixture(scope="module")
def library(python: str) -> Iterator[str]:
    """A folder that anybody can import our package and what it needs from."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        (own,) = sandboxes.__path__
        shutil.copytree(own, Path(folder) / "sandboxes", ignore=shutil.ignore_patterns("__pycache__"))
        for name in NEEDED:
            found = next(Path(place) / name for place in sys.path if (Path(place) / name).exists())
            (shutil.copytree if found.is_dir() else shutil.copy)(found, Path(folder) / name)
        if subprocess.run([python, "-c", "import pydantic"], env={"PYTHONPATH": folder}, check=False).returncode:
            pytest.skip(f"{python} cannot import the tests' pydantic, made for {sys.version.split()[0]}")
        yield folder


def told(tier: str, python: str, library: str, user: int) -> dict[str, object]:
    """What the backend says and does in a process of that user."""
    become = {"user": user, "group": user, "extra_groups": []} if user != os.geteuid() else {}
    done = subprocess.run(
        [python, "-B", "-c", SCRIPT, tier], env={"PYTHONPATH": library, "PATH": "/usr/bin:/bin"}, cwd="/",
        capture_output=True, text=True, timeout=300, check=False, **become,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    if tier == "full" and "not permitted" in said.get("misconfigured", "") and "CI" not in os.environ:
        pytest.skip(f"ORDINARY USERS MAY NOT MAKE NAMESPACES ON THIS MACHINE: {said['misconfigured']}")
    assert "misconfigured" not in said, said["misconfigured"]
    return said


@pytest.mark.parametrize(("tier", "user"), [("full", NOBODY), ("full", ANYBODY), ("landlock", ANYBODY)])
def test_an_ordinary_user_has_a_sandbox_that_keeps_its_promise(tier: str, user: int, python: str, library: str):
    said = told(tier, python, library, os.geteuid() or user)
    assert said["uid"] != 0
    assert said["unmet"] == []
    assert said["checked"] > 30
    if tier == "full":
        assert {name for name, holds in said["layers"].items() if not holds} <= {"control groups", "landlock scopes"}


def test_the_weaker_tier_keeps_its_promise_as_root_and_says_what_it_lacks(python: str, library: str):
    if os.geteuid() != 0:
        pytest.skip("this needs root")
    said = told("landlock", python, library, 0)
    assert said["unmet"] == []
    assert not said["layers"]["pid namespace"]
    assert not said["layers"]["read-only root"]
    assert said["layers"]["seccomp"]
