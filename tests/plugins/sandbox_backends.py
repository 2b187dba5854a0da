"""Backends for tests: those that this machine has, started once for many tests, and none at all."""

import asyncio
import gc
import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sandbox_servers import serving

from sandboxes import runner_image
from sandboxes.docker import DockerSandbox
from sandboxes.errors import SandboxFault, SandboxMisconfigured
from sandboxes.namespaces import NamespaceSandbox
from sandboxes.remote import RemoteSandbox
from sandboxes.types import Outcome, Program, Sandbox, SandboxResult

BACKENDS = ("namespaces", "docker", "remote")
RESCUE_S = 30.0
T = TypeVar("T")


@dataclass(frozen=True)
class Running:
    """A started backend and the event loop that it belongs to."""

    sandbox: Sandbox
    runner: asyncio.Runner

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)


@contextmanager
def running(name: str) -> Iterator[Running]:
    """A backend for as long as the block lasts; skips, saying why, where this machine has no Docker."""
    with ExitStack() as stack:
        sandbox: Any
        if name == "namespaces":
            sandbox = NamespaceSandbox(parallel=3)
        elif name == "remote":
            sandbox = RemoteSandbox([stack.enter_context(serving("--parallel", "3")).url])
        else:
            sandbox = _docker()
        runner = stack.enter_context(asyncio.Runner())
        stack.callback(lambda: runner.run(sandbox.close()))
        runner.run(sandbox.start())
        yield Running(sandbox, runner)


def _docker() -> DockerSandbox:
    try:
        return DockerSandbox(runner_image.build(), parallel=3)
    except SandboxFault as fault:
        reason = str(fault)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the SDK leaves a socket open that it could not connect
        gc.collect()
    pytest.skip(f"THE DOCKER BACKEND IS NOT TESTED HERE: {reason}")


class NoSandbox:
    """Keeps the promise's form and nothing of its content: programs run as the tests do, in a folder of their own."""

    backend = "none"

    def policy_digest(self, language: str) -> str:
        return "none"

    @asynccontextmanager
    async def open(self, program: Program) -> AsyncIterator["Bare"]:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            yield Bare(program, Path(folder))

    async def run(self, program: Program, stdin: bytes = b"") -> SandboxResult:
        async with self.open(program) as bare:
            return await bare.run(stdin)

    async def run_linked(self, judge: Program, candidate: Program) -> tuple[SandboxResult, SandboxResult]:
        raise SandboxMisconfigured("there is nothing to link them with")

    async def close(self) -> None:
        return None


@dataclass(frozen=True)
class Bare:
    """A submission without a sandbox."""

    program: Program
    folder: Path

    async def run(self, stdin: bytes = b"") -> SandboxResult:
        source = self.folder / "main"
        source.write_text(self.program.source)
        interpreter = sys.executable if self.program.language == "python" else self.program.language
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            interpreter, source, cwd=self.folder, start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(RESCUE_S):
                stdout, stderr = await process.communicate(stdin)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        code = process.returncode
        assert code is not None, "communicate waits for the end"
        return SandboxResult(
            outcome=Outcome.EXITED if code >= 0 else Outcome.SIGNALLED,
            exit_code=code if code >= 0 else None, signal=-code if code < 0 else None, stdout=stdout, stderr=stderr,
            wall_s=time.monotonic() - started, cpu_s=0.0, peak_memory_bytes=0, backend="none", policy_digest="none",
        )  # fmt: skip
