"""The container engine, through the Docker SDK for Python. Every method blocks; every failure is a `SandboxFault`."""

import os
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sandboxes.errors import SandboxMisconfigured, SandboxUnavailable
from sandboxes.inside.cgroups import owned_by, owner_is_gone

OWNER_LABEL = "assay.owner"
NOBODY_UID = 65534
OUR_CODE = "/assay"
"""Where `sandboxes` lies in a container."""
_DIGEST = re.compile(r"(.+@)?sha256:[0-9a-f]{64}")
_NEEDED = {"MemoryLimit": "memory", "PidsLimit": "the number of processes", "CpuCfsQuota": "CPU time"}
_USUAL_SOCKET = "unix:///var/run/docker.sock"
_TIMEOUT_S = 120
_LATE_EVENTS_S = 1.0
_CPUS = 1.0
_OWN_KERNEL_THREADS = 512
_REFUSED, _CONFLICT = (400, 403), 409


@dataclass(frozen=True)
class Room:
    """What is fixed when a container is made."""

    memory_bytes: int
    pids: int
    disk_bytes: int
    inodes: int


class Engine:
    """The engine on this machine, and the image and runtime that its containers have."""

    def __init__(self) -> None:
        """Find it, where `DOCKER_HOST` says or at the usual socket. Raises SandboxMisconfigured."""
        where = os.environ.get("DOCKER_HOST") or _USUAL_SOCKET
        if not where.startswith("unix://"):
            raise SandboxMisconfigured(
                f"the container engine at {where} may be another machine's; name a socket of this one (unix://...), or"
                " run `python -m sandboxes serve` there and use the remote backend"
            )
        try:
            import docker
        except ImportError:
            raise SandboxMisconfigured(
                "the docker backend needs the Docker SDK for Python: pip install 'assay[docker]'"
            ) from None
        try:
            self._client = docker.from_env(timeout=_TIMEOUT_S)
        except docker.errors.DockerException as error:
            raise SandboxMisconfigured(_why_no_engine(where, error)) from error

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def image_id(self, image: str) -> str:
        """The id, `sha256:...`, of an image named by digest.

        Raises:
            SandboxMisconfigured: no digest, no such image, or one that would bring writable folders along.
        """
        if not _DIGEST.fullmatch(image):
            raise SandboxMisconfigured(
                f"{image!r} names no digest, so that what runs could change behind our back; give the id that"
                f" `docker image inspect --format '{{{{.Id}}}}' {image}` prints, or NAME@sha256:..."
            )
        with _as_faults(f"cannot look for the image {image}"):
            found = self._client.images.get(image)
        if found.attrs["Config"].get("Volumes"):
            raise SandboxMisconfigured(f"the image {image} declares volumes, which would be writable; build it without")
        return str(found.id)

    def usable_runtime(self, runtime: str | None) -> str:
        """The runtime asked for, or the engine's own.

        Raises:
            SandboxMisconfigured: there is none of that name, or the engine would leave out a limit without a word.
        """
        with _as_faults("the engine does not say what it can do"):
            told = self._client.info()
        missing = [what for key, what in _NEEDED.items() if not told.get(key)]
        if missing:
            raise SandboxMisconfigured(
                f"the container engine cannot limit {' and '.join(missing)}; run it as root, or rootless with delegated"
                " control groups of version 2"
            )
        chosen = runtime or str(told["DefaultRuntime"])
        if chosen not in told["Runtimes"]:
            known = ", ".join(sorted(told["Runtimes"]))
            raise SandboxMisconfigured(f"the container engine has no runtime {chosen!r}; it has {known}")
        return chosen

    def load(self, archive: IO[bytes]) -> str:
        """Take in an image; its id. Raises SandboxFault."""
        with _as_faults("the image cannot be loaded"):
            return str(self._client.images.load(archive)[0].id)

    def start(self, image: str, runtime: str, room: Room, arguments: Sequence[str]) -> tuple[str, socket.socket]:
        """Start a container whose first process is `python3` with these arguments.

        Its standard input ends when the socket is closed, however that comes about.

        Returns:
            its id, and a socket that carries its standard streams in the engine's framing.

        Raises:
            SandboxFault: it did not start; nothing is left of it.
        """
        settings = container_settings(room, runtime)
        with _as_faults("a container cannot be started"), ExitStack() as undo:
            made = self._client.containers.create(image, list(arguments), **settings)
            undo.callback(self.remove, made.id)
            streams = self._attached(made.id)
            undo.callback(streams.close)
            made.start()
            undo.pop_all()
        return str(made.id), streams

    def give_memory(self, container: str, memory_bytes: int) -> None:
        """Change how much memory a running container may use. Raises SandboxFault."""
        with _as_faults("a container's memory cannot be changed"):
            self._client.api.update_container(container, mem_limit=memory_bytes, memswap_limit=memory_bytes)

    def remove(self, container: str) -> None:
        """End a container and wait until nothing is left of it. Raises SandboxFault."""
        from docker.errors import APIError, NotFound

        with _as_faults("a container cannot be removed"), suppress(NotFound):
            try:
                self._client.api.remove_container(container, force=True, v=True)
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise
                self._client.api.wait(container, condition="removed")  # it is being removed already

    def events(self, container: str, since: float) -> set[str]:
        """What the engine saw happen to a container, which may be gone: `oom`, `kill` and `die` among others.

        Args:
            container: its id.
            since: seconds of the epoch. What happens within a second from now is waited for.

        Raises:
            SandboxFault: the engine does not say.
        """
        until = f"{time.time() + _LATE_EVENTS_S:.9f}"
        with _as_faults("the engine does not say what happened to a container"):
            seen = self._client.api.events(
                since=f"{since:.9f}", until=until, filters={"container": container}, decode=True
            )
            return {str(event["Action"]) for event in seen}

    def orphans(self) -> list[str]:
        """Ids of containers whose owner has ended. Raises SandboxFault."""
        with _as_faults("the engine does not list its containers"):
            found = self._client.api.containers(all=True, filters={"label": OWNER_LABEL})
        return [str(one["Id"]) for one in found if owner_is_gone(one["Labels"][OWNER_LABEL])]

    def _attached(self, container: str) -> socket.socket:
        wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        theirs = self._client.api.attach_socket(container, params=wanted)
        ours = socket.socket(fileno=os.dup(theirs.fileno()))
        theirs._response.close()  # the SDK would hold on to it for as long as it can
        return ours


def has_own_kernel(runtime: str) -> bool:
    """Whether programs run on a kernel that is itself a process in the container (gVisor).

    The engine's limit of processes counts that kernel's threads instead, and a program may exhaust it: then the
    container ends.
    """
    return runtime.startswith("runsc")


def container_settings(room: Room, runtime: str) -> dict[str, Any]:
    """How every container is made: what holds a program that got out of everything inside."""
    from docker.types import LogConfig, Ulimit

    code = str(Path(__file__).resolve().parent)
    scratch = f"size={room.disk_bytes},nr_inodes={room.inodes},mode=1777,nosuid,nodev,exec"
    return {
        "runtime": runtime,
        "entrypoint": ["python3"],
        "stdin_open": True,
        "auto_remove": True,
        "network_mode": "none",
        "ipc_mode": "none",
        "read_only": True,
        "user": f"{NOBODY_UID}:{NOBODY_UID}",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": room.memory_bytes,
        "memswap_limit": room.memory_bytes,
        "pids_limit": room.pids + (_OWN_KERNEL_THREADS if has_own_kernel(runtime) else 0),
        "nano_cpus": int(_CPUS * 1e9),
        "ulimits": [Ulimit(name="core", soft=0, hard=0)],
        "tmpfs": {"/tmp": scratch},
        "volumes": {code: {"bind": f"{OUR_CODE}/sandboxes", "mode": "ro"}},
        "working_dir": "/",
        "hostname": "sandbox",
        "labels": {OWNER_LABEL: owned_by(os.getpid())},
        "log_config": LogConfig(type="none"),  # or every frame would be written to the engine's disk
        "healthcheck": {"test": ["NONE"]},
    }


@contextmanager
def _as_faults(what: str) -> Iterator[None]:
    """What the SDK raises, as what a sandbox raises."""
    from docker.errors import APIError, DockerException, ImageNotFound
    from requests.exceptions import RequestException

    try:
        yield
    except ImageNotFound as error:
        raise SandboxMisconfigured(
            f"{what}: {error.explanation}; load it first, or build one: python -m sandboxes.runner_image"
        ) from error
    except APIError as error:
        refused = error.status_code in _REFUSED
        raise (SandboxMisconfigured if refused else SandboxUnavailable)(f"{what}: {error.explanation}") from error
    except (DockerException, RequestException) as error:
        raise SandboxUnavailable(f"{what}: {error}") from error


def _why_no_engine(where: str, error: Exception) -> str:
    if "PermissionError" in str(error):
        return f"this user may not use the container engine at {where}; add it to the group docker, or run as root"
    return f"no container engine answers at {where}; start one (dockerd), or set DOCKER_HOST: {error}"
