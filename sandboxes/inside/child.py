"""The program's own process, from the fork to the program's first instruction. Nothing here returns to the keeper."""

import atexit
import builtins
import json
import mmap
import os
import resource
import signal
import struct
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn

from sandboxes.inside import kernel, landlock, seccomp

OUT_OF_MEMORY_EXIT = 86
"""How a Python program ends that nobody saved from a MemoryError."""
_SIZES = struct.Struct("!I")
_OURS = [
    f"sandboxes{module}"
    for module in (
        "",
        *(
            f".inside{name}"
            for name in (
                "", ".cgroups", ".child", ".clearing", ".keeper", ".kernel", ".landlock", ".root", ".seccomp",
                ".zygote",
            )
        ),
    )
]  # fmt: skip
"""What a program does not find imported, so that it may have modules of these names."""


def pack_spec(header: dict[str, Any], files: Sequence[tuple[str, bytes, int]]) -> bytes:
    """What the child reads of its own request: how to start, and (path, content, mode) of each file to lay."""
    text = json.dumps({**header, "files": [(path, len(data), mode) for path, data, mode in files]}).encode()
    return b"".join((_SIZES.pack(len(text)), text, *(data for _, data, _ in files)))


@dataclass(frozen=True)
class Outlook:
    """What a child still has to know of its confinement; the rest is its keeper's, and inherited."""

    address_space_base: int
    """What the interpreter itself has mapped: the limit of a program comes on top."""
    landlock: int
    """ABI to restrict itself with once more, so that it cannot signal its keeper; 0 where it cannot anyway."""
    seccomp: bytes
    """Filter to put itself under; empty where its keeper is under the same."""
    readable: Sequence[str]
    writable: Sequence[str]


def become(descriptors: Sequence[int], work: str, outlook: Outlook, *, shared_tmp: bool) -> NoReturn:
    """Turn this freshly forked process into the program.

    Args:
        descriptors: the request (what `pack_spec` made), then what becomes 0, 1, 2 and, for linked programs, 3.
        work: the work folder.
        outlook: what is left to do of the confinement.
        shared_tmp: /tmp is the machine's, so that temporary files have to go to the work folder.
    """
    os.chdir(work)
    spec = _lay_files(descriptors[0])
    if shared_tmp:
        kernel.die_with_parent()  # which no namespace does for us here
        spec["env"]["TMPDIR"] = work
    _arrange(descriptors[1:])
    os.setsid()
    _limit(spec["rlimits"], outlook.address_space_base)
    if outlook.landlock:
        landlock.restrict(outlook.landlock, outlook.readable, outlook.writable)
    if outlook.seccomp:
        seccomp.install(outlook.seccomp)
    if "argv" in spec:
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # ignored by Python, and inherited
            signal.signal(number, signal.SIG_DFL)
        os.execve(spec["argv"][0], spec["argv"], spec["env"])
    _run_python(spec["main"], spec["env"])


def _lay_files(spec_fd: int) -> dict[str, Any]:
    with mmap.mmap(spec_fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as data:
        end = _SIZES.size + _SIZES.unpack_from(data)[0]
        spec: dict[str, Any] = json.loads(data[_SIZES.size : end])
        for path, size, mode in spec["files"]:
            if "/" in path:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            written = 0
            while written < size:
                written += os.write(descriptor, memoryview(data)[end + written : end + size])
            os.close(descriptor)
            end += size
    return spec


def _arrange(descriptors: Sequence[int]) -> None:
    """Put the descriptors where they belong and close every other one."""
    parked = [os.dup(descriptor) for descriptor in descriptors]
    for target, descriptor in enumerate(parked):
        os.dup2(descriptor, target, inheritable=True)
    kernel.call("close_range", len(descriptors), 0x7FFFFFFF, 0)


def _limit(limits: dict[str, int], address_space_base: int) -> None:
    for name, value in limits.items():
        number = getattr(resource, name)
        value += address_space_base if name == "RLIMIT_AS" else 0
        _, hard = resource.getrlimit(number)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # A program may give itself a deeper stack: it is memory like any other, and held as such.
        resource.setrlimit(number, (value, hard if name == "RLIMIT_STACK" else value))


def _run_python(main: str, env: dict[str, str]) -> NoReturn:
    os.environ.clear()
    os.environ.update(env)
    for name in _OURS:
        sys.modules.pop(name, None)
    module = types.ModuleType("__main__")
    module.__file__ = main
    module.__builtins__ = builtins  # type: ignore[attr-defined]
    sys.modules["__main__"] = module
    sys.argv[:] = [main]
    sys.path.insert(0, os.getcwd())
    with _EndingLikeAnInterpreter():
        exec(compile(_read(main), main, "exec", dont_inherit=True), module.__dict__)
    os._exit(0)


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    content = os.read(descriptor, os.fstat(descriptor).st_size)
    os.close(descriptor)
    return content


class _EndingLikeAnInterpreter:
    """Ends the process as `python main.py` would, without taking the interpreter down piece by piece."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = 0
        if kind is not None and error is not None:
            code = _exit_code(error) if issubclass(kind, SystemExit) else 1
            if not issubclass(kind, SystemExit):
                error.__traceback__ = trace.tb_next if trace else None
                sys.excepthook(kind, error, error.__traceback__)
                code = OUT_OF_MEMORY_EXIT if issubclass(kind, MemoryError) else 1
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()
        atexit._run_exitfuncs()
        os._exit(code if _flushed() else 120)


def _exit_code(error: BaseException) -> int:
    code = getattr(error, "code", None)
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _flushed() -> bool:
    """As the interpreter: an unwritable standard output is an error of the program's own."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return False
    return True
