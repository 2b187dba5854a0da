"""The docker backend on a real engine: what its containers are, when they are used again, and that none is left."""

import asyncio
import gc
import io
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from watched_runs import WAIT_S, comes_true, until

from sandboxes import runner_image
from sandboxes.conformance import separation
from sandboxes.docker import DockerSandbox, sweep_containers
from sandboxes.docker_engine import OWNER_LABEL, Engine, Room
from sandboxes.errors import SandboxFault, SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.inside.cgroups import owned_by
from sandboxes.types import MIB, Limits, Outcome, Program

docker = pytest.importorskip("docker", reason="THE DOCKER BACKEND IS NOT TESTED HERE: pip install 'assay[docker]'")

HELLO = Program(source="print('hello')")
SLEEP = Program(source="import time; time.sleep(60)", limits=Limits(wall_s=60))
MOST = 3
"""Containers of a backend that runs one submission at once."""
SMALL = Room(memory_bytes=64 * MIB, pids=16, disk_bytes=MIB, inodes=64)
OWNER = """
import asyncio, sys
from sandboxes.docker import DockerSandbox
from sandboxes.types import Limits, Program

async def main():
    sandbox = DockerSandbox(sys.argv[1])
    program = Program(source="import time; time.sleep(60)", limits=Limits(wall_s=60))
    await asyncio.gather(sandbox.run(program), sandbox.run(program))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def image() -> str:
    try:
        return runner_image.build()
    except SandboxFault as fault:
        pytest.skip(f"THE DOCKER BACKEND IS NOT TESTED HERE: {fault}")


@pytest.fixture(scope="module")
def client(image: str) -> Iterator[Any]:
    engine = docker.from_env()
    yield engine
    engine.close()


@pytest.fixture
def ours(client: Any) -> Callable[[], list[Any]]:
    """The containers of this process, newest first."""

    def listed() -> list[Any]:
        label = {"label": f"{OWNER_LABEL}={owned_by(os.getpid())}"}
        return client.containers.list(all=True, filters=label, ignore_removed=True)

    return listed


@asynccontextmanager
async def backend(image: str, **options: Any) -> AsyncIterator[DockerSandbox]:
    sandbox = DockerSandbox(image, **options)
    try:
        yield sandbox
    finally:
        await sandbox.close()


def test_a_container_is_as_bare_as_promised(image: str, ours: Callable[[], list[Any]]):
    async def inspected() -> dict[str, Any]:
        limits = Limits(memory_bytes=128 * MIB, pids=5, disk_bytes=8 * MIB)
        async with backend(image, parallel=1) as sandbox, sandbox.open(HELLO.model_copy(update={"limits": limits})):
            return ours()[-1].attrs

    told = asyncio.run(inspected())
    host, config = told["HostConfig"], told["Config"]
    assert told["Image"] == image
    assert host["NetworkMode"] == "none"
    assert host["IpcMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["Privileged"] is False
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] == host["MemorySwap"] < 256 * MIB
    assert 5 < host["PidsLimit"] < 16
    assert host["NanoCpus"] == 10**9
    assert host["AutoRemove"] is True
    assert host["LogConfig"]["Type"] == "none"
    assert [bind.split(":", 1)[1] for bind in host["Binds"]] == ["/assay/sandboxes:ro"]
    assert [mount["RW"] for mount in told["Mounts"]] == [False]
    assert {"nosuid", "nodev"} < set(host["Tmpfs"]["/tmp"].split(","))
    assert config["User"] == "65534:65534"
    assert not config["Env"]


def test_a_program_sees_neither_our_code_nor_the_image_around_it(image: str):
    async def seen() -> bytes:
        source = "import os\nfor path in ('/', '/assay', '/proc/1', '/sys', '/etc'):\n"
        source += "    try: print(path, os.listdir(path))\n    except OSError: pass"
        async with backend(image) as sandbox:
            return (await sandbox.run(Program(source=source))).stdout

    assert asyncio.run(seen()) == b""


def test_a_clean_container_is_used_again(image: str, ours: Callable[[], list[Any]]):
    async def used() -> set[str]:
        seen = set()
        async with backend(image, parallel=1) as sandbox:
            for _ in range(10):
                assert (await sandbox.run(HELLO)).stdout == b"hello\n"
                seen |= {container.id for container in ours()}
        return seen

    assert len(asyncio.run(used())) <= MOST


@pytest.mark.parametrize("mess", ["sleep 60 >/dev/null 2>&1 &", "echo left > /tmp/left"], ids=["process", "file"])
def test_a_container_with_something_left_in_it_is_not_used_again(image: str, ours: Callable[[], list[Any]], mess: str):
    async def used() -> int:
        async with backend(image, parallel=1) as sandbox:
            await sandbox.run(HELLO)
            await comes_true(lambda: len(ours()) >= 2)
            messy = {container.id for container in ours()}
            for container in ours():
                assert container.exec_run(["sh", "-c", mess]).exit_code == 0
            runs = 0
            while messy & {container.id for container in ours()}:
                runs += 1
                assert (await sandbox.run(HELLO)).stdout == b"hello\n"
            return runs

    asyncio.run(asyncio.wait_for(used(), WAIT_S))


def test_as_on_an_old_kernel_the_canaries_hold_and_submissions_are_kept_apart(image: str):
    async def checked() -> None:
        async with backend(image, tier="alone") as sandbox:
            await sandbox.start()
            for requirement in separation.REQUIREMENTS:
                await requirement(sandbox)

    asyncio.run(checked())


def test_containers_of_other_shapes_give_way(image: str, ours: Callable[[], list[Any]]):
    async def used() -> None:
        async with backend(image, parallel=1) as sandbox:
            for megabytes in range(64, 70):
                limits = Limits(memory_bytes=megabytes * MIB)
                result = await sandbox.run(HELLO.model_copy(update={"limits": limits}))
                assert result.stdout == b"hello\n"
                await comes_true(lambda: len(ours()) <= MOST)

    asyncio.run(used())


def test_processes_that_take_too_much_memory_together_run_out_of_it(image: str):
    source = "import os, time\nfor _ in range(8):\n    if not os.fork():\n        taken = bytearray(100 << 20)\n"
    source += "        time.sleep(1)\n        os._exit(0)\nfor _ in range(8): os.wait()"

    async def ended() -> tuple[Outcome, Outcome]:
        async with backend(image) as sandbox, sandbox.open(Program(source=source)) as submission:
            first = await submission.run()
            return first.outcome, (await sandbox.run(HELLO)).outcome

    assert asyncio.run(ended()) == (Outcome.OUT_OF_MEMORY, Outcome.EXITED)


@pytest.mark.parametrize(("source", "killed"), [("b = bytearray(200 << 20)", True), ("raise SystemExit(137)", False)])
def test_a_container_that_the_kernel_ended_for_its_memory_is_told_from_others(
    image: str, client: Any, source: str, killed: bool
):
    engine = Engine()
    runtime = engine.usable_runtime(None)
    container, streams = engine.start(image, runtime, SMALL, ["-c", source])
    with streams:
        while streams.recv(4096):
            pass
    until(lambda: not client.containers.list(all=True, filters={"id": container}, ignore_removed=True))
    events = engine.events(container, 0.0)
    assert ("oom" in events) is killed
    assert "die" in events
    engine.close()


def test_a_large_input_does_not_count_as_the_programs_memory(image: str):
    source = (
        "import sys\nwhile data := sys.stdin.buffer.read(1 << 20): pass\ntaken = bytearray(40 << 20)\nprint('done')"
    )

    async def ended() -> bytes:
        async with backend(image) as sandbox:
            limits = Limits(memory_bytes=64 * MIB, disk_bytes=MIB)
            return (await sandbox.run(Program(source=source, limits=limits), b"x" * (100 * MIB))).stdout

    assert asyncio.run(ended()) == b"done\n"


def test_a_container_that_vanishes_is_a_fault_and_the_next_run_works(image: str, ours: Callable[[], list[Any]]):
    async def lost() -> bytes:
        async with backend(image, parallel=1) as sandbox:
            running = asyncio.create_task(sandbox.run(SLEEP))
            await comes_true(lambda: len(ours()) >= 2)
            await asyncio.sleep(0.5)
            for container in ours():
                container.kill()
            with pytest.raises(SandboxLost):
                await running
            return (await sandbox.run(HELLO)).stdout

    assert asyncio.run(lost()) == b"hello\n"


def test_closing_ends_what_runs_and_leaves_no_container(image: str, ours: Callable[[], list[Any]]):
    async def closed() -> None:
        sandbox = DockerSandbox(image, parallel=2)
        running = [asyncio.create_task(sandbox.run(SLEEP)) for _ in range(3)]
        await comes_true(lambda: len(ours()) >= 2)
        await sandbox.close()
        ends = await asyncio.gather(*running, return_exceptions=True)
        assert {type(end) for end in ends} <= {SandboxLost, SandboxUnavailable}
        with pytest.raises(SandboxUnavailable, match="closed"):
            await sandbox.run(HELLO)

    asyncio.run(closed())
    assert ours() == []


def test_a_cancelled_run_ends_and_its_container_is_used_again(image: str, ours: Callable[[], list[Any]]):
    async def cancelled() -> set[str]:
        seen = set()
        async with backend(image, parallel=1) as sandbox:
            await sandbox.run(HELLO)
            for _ in range(6):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(sandbox.run(SLEEP), 0.2)
                seen |= {container.id for container in ours()}
            assert (await sandbox.run(HELLO)).stdout == b"hello\n"
        return seen

    assert len(asyncio.run(cancelled())) < 6, "six runs were given up, and not each of them cost a container"


def test_a_killed_owner_leaves_no_container(image: str, client: Any):
    owner = subprocess.Popen([sys.executable, "-c", OWNER, image])
    label = {"label": f"{OWNER_LABEL}={owned_by(owner.pid)}"}
    until(lambda: len(client.containers.list(filters=label)) >= 2)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    until(lambda: not client.containers.list(all=True, filters=label, ignore_removed=True))


def test_sweeping_removes_the_containers_of_the_dead_and_no_others(image: str, client: Any):
    dead = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    left = client.containers.create(image, ["python3"], labels={OWNER_LABEL: owned_by(dead.pid)})
    kept = client.containers.create(image, ["python3"], labels={OWNER_LABEL: owned_by(os.getpid())})
    try:
        assert f"container {left.short_id}" not in sweep_containers()
        dead.kill()
        dead.wait()
        assert f"container {left.short_id}" in sweep_containers()
        there = {container.id for container in client.containers.list(all=True, ignore_removed=True)}
        assert kept.id in there
        assert left.id not in there
    finally:
        kept.remove()


def test_an_image_without_a_digest_is_refused():
    with pytest.raises(SandboxMisconfigured, match=r"docker image inspect .* assay-runner:latest"):
        asyncio.run(DockerSandbox("assay-runner:latest").start())


def test_an_image_that_is_not_there_is_refused_with_the_way_to_get_one(image: str):
    with pytest.raises(SandboxMisconfigured, match=r"python -m sandboxes\.runner_image"):
        asyncio.run(DockerSandbox("sha256:" + "0" * 64).start())


@pytest.mark.parametrize(("changes", "why"), [(["VOLUME /data"], "volumes"), ([], "python3")])
def test_an_image_that_does_not_fit_is_refused(client: Any, changes: list[str], why: str):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as files:
        files.addfile(tarfile.TarInfo("empty"))
    told = client.api.import_image_from_data(archive.getvalue(), repository="assay-unfit", changes=changes)
    assert "sha256:" in told
    unfit = client.images.get("assay-unfit")
    try:
        with pytest.raises(SandboxMisconfigured, match=why):
            asyncio.run(DockerSandbox(unfit.id).start())
    finally:
        client.images.remove(unfit.id)


def test_an_unknown_runtime_is_refused_with_those_there_are(image: str):
    with pytest.raises(SandboxMisconfigured, match=r"'no-such-runtime'; it has .*runc"):
        asyncio.run(DockerSandbox(image, runtime="no-such-runtime").start())


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_without_an_engine_the_backend_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(SandboxMisconfigured, match="dockerd"):
        asyncio.run(DockerSandbox("sha256:" + "0" * 64).start())
    assert sweep_containers() == []
    gc.collect()  # the SDK leaves it a socket that could not be connected


def test_an_engine_of_another_machine_is_refused_with_what_to_use_instead(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.7:2375")
    with pytest.raises(SandboxMisconfigured, match="remote backend"):
        asyncio.run(DockerSandbox("sha256:" + "0" * 64).start())


def test_a_language_that_the_image_lacks_is_a_fault(image: str):
    async def asked() -> None:
        async with backend(image) as sandbox:
            with pytest.raises(SandboxMisconfigured, match="in the image"):
                await sandbox.run(Program(language="java", source=""))

    asyncio.run(asked())


def test_image_and_runtime_are_part_of_the_policy_digest(image: str):
    async def digests(**options: str) -> tuple[str, str]:
        async with backend(image, **options) as sandbox:
            result = await sandbox.run(HELLO)
            assert result.policy_digest == sandbox.policy_digest("python")
            return result.backend, result.policy_digest

    named, default = asyncio.run(digests(runtime="runc")), asyncio.run(digests())
    assert named == ("docker:runc", default[1])
    assert default[0] == "docker"
