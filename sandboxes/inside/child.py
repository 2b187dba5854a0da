"""The program's own process, from the fork to the program's first instruction. Nothing here returns to the keeper."""

import atexit
import builtins
import errno
import marshal
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
_COPIED_BYTES = 1 << 20
_MARSHAL_VERSION = 2
"""One that every Python 3 reads: the interpreter of a policy need not be the warden's."""
_NOT_EXECUTABLE_EXIT = 126
"""As a shell says that what the compiler made is no program."""


def pack_spec(header: dict[str, Any], files: Sequence[tuple[str, bytes, int]]) -> bytes:
    """What the child reads of its own request: how to start, and (path, content, mode) of each file to lay."""
    sizes = [(path, len(data), mode) for path, data, mode in files]
    text = marshal.dumps({**header, "files": sizes}, _MARSHAL_VERSION)
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


def become(
    descriptors: Sequence[int], work: str, outlook: Outlook, trouble: mmap.mmap, *, shared_tmp: bool
) -> NoReturn:
    """Turn this freshly forked process into the program.

    What it touches on the way is copied for it, page by page, and that is most of what a short run costs.

    Args:
        descriptors: the request (what `pack_spec` made), then what becomes 0, 1, 2 and, for linked programs, 3.
        work: the work folder.
        outlook: what is left to do of the confinement.
        trouble: memory shared with the keeper, to say there what kept us from starting the program, which never sees
            it.
        shared_tmp: /tmp is the machine's, so that temporary files have to go to the work folder.
    """
    try:
        spec = _made_ready(descriptors, work, outlook, shared_tmp=shared_tmp)
        if "argv" in spec:
            _execute(spec["argv"])
    except OSError as error:
        trouble.write(str(error).encode()[: len(trouble)])
        os._exit(1)
    trouble.close()
    _run_python(spec["main"])


def _made_ready(descriptors: Sequence[int], work: str, outlook: Outlook, *, shared_tmp: bool) -> dict[str, Any]:
    os.chdir(work)
    request = _arrange(descriptors)
    spec = _lay_files(request)
    os.close(request)
    if shared_tmp:
        kernel.die_with_parent()  # which no namespace does for us here
        os.environ["TMPDIR"] = work
    os.setsid()
    _limit(spec["rlimits"], outlook.address_space_base)
    if outlook.landlock:
        landlock.restrict(outlook.landlock, outlook.readable, outlook.writable)
    if outlook.seccomp:
        seccomp.install(outlook.seccomp)
    return spec


def _arrange(descriptors: Sequence[int]) -> int:
    """Put the descriptors where they belong and close every other one; the request's is returned."""
    request, *programs = [os.dup(descriptor) for descriptor in descriptors]
    for target, descriptor in enumerate(programs):
        os.dup2(descriptor, target)
    kept = os.dup2(request, len(programs), inheritable=False)
    kernel.close_from(kept + 1)
    return kept


def _lay_files(request: int) -> dict[str, Any]:
    (size,) = _SIZES.unpack(os.pread(request, _SIZES.size, 0))
    spec: dict[str, Any] = marshal.loads(os.pread(request, size, _SIZES.size))
    offset = _SIZES.size + size
    try:
        for path, size, mode in spec["files"]:
            _lay(path, mode, request, range(offset, offset + size))
            offset += size
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _end(f"{path}: {error.strerror}: the limit of disk_bytes is less than the program and its files take", 1)
    return spec


def _lay(path: str, mode: int, request: int, place: range) -> None:
    if "/" in path:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    start = place.start
    while start < place.stop:
        start += os.write(descriptor, os.pread(request, min(_COPIED_BYTES, place.stop - start), start))
    os.close(descriptor)


def _execute(argv: list[str]) -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # ignored by Python, and inherited
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(argv[0], argv, os.environ)
    except OSError as error:
        if argv[0].startswith("/"):  # a tool, and ours to have
            raise
        _end(f"{argv[0]}: {error.strerror}", _NOT_EXECUTABLE_EXIT)


def _end(why: str, code: int) -> NoReturn:
    """What is wrong is the program's own doing."""
    os.write(2, f"{why}\n".encode())
    os._exit(code)


def _limit(limits: dict[str, int], address_space_base: int) -> None:
    for name, value in limits.items():
        number = getattr(resource, name)
        value += address_space_base if name == "RLIMIT_AS" else 0
        _, hard = resource.getrlimit(number)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # A program may give itself a deeper stack: it is memory like any other, and held as such.
        resource.setrlimit(number, (value, hard if name == "RLIMIT_STACK" else value))


def _run_python(main: str) -> NoReturn:
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
