"""Programs that are started end with who started them, and leave nobody behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from trainer.children import child_command, stop_child

PARENT = """
import subprocess, sys, time
from trainer.children import child_command
child = subprocess.Popen(child_command("http.server", "0", "--bind", "127.0.0.1"), start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""
WITH_ORPHAN = (
    "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); print('ready', flush=True); time.sleep(60)"
)


def living(group: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = path.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of) == group and state != "Z":
            found.append(int(path.parent.name))
    return found


def wait_until_gone(group: int) -> None:
    deadline = time.monotonic() + 30
    while living(group):
        assert time.monotonic() < deadline, f"group {group} still lives"
        time.sleep(0.02)


def test_a_child_ends_with_a_parent_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert living(child) == [child]
        parent.kill()
    wait_until_gone(child)


def test_what_a_killed_child_leaves_is_ended_with_it(tmp_path: Path):
    (tmp_path / "leaves_orphans.py").write_text(WITH_ORPHAN)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = child_command("leaves_orphans")
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        assert len(living(child.pid)) == 2
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert len(living(child.pid)) == 1
        stop_child(child)
        wait_until_gone(child.pid)
