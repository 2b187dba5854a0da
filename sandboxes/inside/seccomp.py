"""A seccomp filter from a list of allowed system calls, assembled as classic BPF.

The rules that look at arguments are here, because they are the same for every policy. See seccomp(2) and the kernel's
`Documentation/userspace-api/seccomp_filter.rst`.
"""

import ctypes
import errno
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sandboxes.inside import kernel

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _JUMP, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x05, 0x06
_NUMBER, _ARCH, _ARGUMENT_0, _ARGUMENT_1 = 0, 4, 16, 24

_AF_UNIX = 1
_NAMESPACE_FLAGS = 0x7E020080  # every CLONE_NEW*
_ALLOWED_PRCTL = (1, 2, 3, 15, 16, 21, 23, 27, 29, 30, 38, 39, 40, 0x53564D41)
"""PDEATHSIG, dumpable (read), name, seccomp (read), bounding set (read), securebits (read), timer slack,
no_new_privs, thread id address, naming of memory."""
_DENIED_IOCTL = (0x5412, 0x541C, 0x8901, 0x8902)
"""TIOCSTI types into somebody's terminal, TIOCLINUX pastes into it; FIOSETOWN and SIOCSPGRP are F_SETOWN."""
_DENIED_FCNTL = (8, 10, 15, 1024, 1026, 1040)
"""F_SETOWN, F_SETSIG and F_SETOWN_EX have a signal sent to somebody, F_SETLEASE and F_SETDELEG hold up whoever opens a
file of the machine, F_NOTIFY tells what others do in a folder."""
_SIGNALLING = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open")
"""What sends a signal to a process that the first argument names, or is the way to do so."""
_BY_PID = ("prlimit64", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler")
"""What changes a process that the first argument names; 0 is the caller."""
_ONE_PROCESS = {"setpriority": 0, "ioprio_set": 1}
"""What changes the processes that the first two arguments name: `which` of one process, and 0 for the caller."""
_SET_MODE_FILTER = 1


def assemble(
    allowed: Iterable[int], filtered: Mapping[str, int], *, unix_sockets: bool, shielded: Sequence[int] = ()
) -> bytes:
    """The filter's program.

    Args:
        allowed: system call numbers that pass whatever their arguments.
        filtered: numbers, by name, of those that are judged by their arguments.
        unix_sockets: allow `socket(AF_UNIX)`; without a mount namespace it would reach the machine's own services.
        shielded: processes (and, negative, their groups) that get no signals, where nothing else sees to that.
    """
    denied, missing = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    code = [
        _op(_LOAD, _ARCH), _op(_JUMP_EQUAL, _AUDIT_ARCH[kernel.MACHINE], 1, 0), _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER),
    ]  # fmt: skip
    for number, judged in (
        (filtered["clone3"], [_op(_RETURN, missing)]),
        (filtered["socket"], _one_of(_ARGUMENT_0, (_AF_UNIX,) * unix_sockets, _ERRNO | errno.EAFNOSUPPORT)),
        (filtered["prctl"], _one_of(_ARGUMENT_0, _ALLOWED_PRCTL, denied)),
        (filtered["ioctl"], _none_of(_ARGUMENT_1, _DENIED_IOCTL, denied)),
        (filtered["fcntl"], _none_of(_ARGUMENT_1, _DENIED_FCNTL, denied)),
        (filtered["clone"], _no_bit(_ARGUMENT_0, _NAMESPACE_FLAGS, denied)),
        *((filtered[name], _none_of(_ARGUMENT_0, tuple(shielded), denied)) for name in _SIGNALLING),
        *((filtered[name], _exactly({_ARGUMENT_0: 0}, denied)) for name in _BY_PID),
        *((filtered[name], _exactly({_ARGUMENT_0: of, _ARGUMENT_1: 0}, denied)) for name, of in _ONE_PROCESS.items()),
    ):
        code += [_op(_JUMP_EQUAL, number, 0, len(judged)), *judged]
    highest = max(allowed := sorted(allowed))
    for first, last in _ranges(allowed):
        code += [_op(_JUMP_AT_LEAST, first, 0, 2), _op(_JUMP_AT_LEAST, last + 1, 1, 0), _op(_RETURN, _ALLOW)]
    code += [_op(_JUMP_AT_LEAST, highest + 1, 0, 1), _op(_RETURN, missing), _op(_RETURN, denied)]
    return b"".join(code)


def install(program: bytes) -> None:
    """Put this thread, and all it starts, under the filter for good. Needs no_new_privs. Raises OSError."""
    code = ctypes.create_string_buffer(program, len(program))
    argument = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code)))
    kernel.call("seccomp", _SET_MODE_FILTER, 0, argument)


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value & 0xFFFFFFFF)


def _one_of(argument: int, values: tuple[int, ...], otherwise: int) -> list[bytes]:
    tests = [_op(_JUMP_EQUAL, value, len(values) - index, 0) for index, value in enumerate(values)]
    return [_op(_LOAD, argument), *tests, _op(_RETURN, otherwise), _op(_RETURN, _ALLOW)]


def _exactly(values: Mapping[int, int], otherwise: int) -> list[bytes]:
    tests: list[bytes] = []
    for left, (argument, value) in zip(range(len(values), 0, -1), values.items(), strict=True):
        tests += [_op(_LOAD, argument), _op(_JUMP_EQUAL, value, 0, 2 * left - 1)]
    return [*tests, _op(_RETURN, _ALLOW), _op(_RETURN, otherwise)]


def _none_of(argument: int, values: tuple[int, ...], otherwise: int) -> list[bytes]:
    tests = [_op(_JUMP_EQUAL, value, len(values) - index, 0) for index, value in enumerate(values)]
    return [_op(_LOAD, argument), *tests, _op(_RETURN, _ALLOW), _op(_RETURN, otherwise)]


def _no_bit(argument: int, bits: int, otherwise: int) -> list[bytes]:
    return [_op(_LOAD, argument), _op(_JUMP_ANY_BIT, bits, 0, 1), _op(_RETURN, otherwise), _op(_RETURN, _ALLOW)]


def _ranges(numbers: list[int]) -> Iterator[tuple[int, int]]:
    first = last = numbers[0]
    for number in numbers[1:]:
        if number > last + 1:
            yield first, last
            first = number
        last = number
    yield first, last
