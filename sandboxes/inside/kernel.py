"""The system calls that Python 3.11 does not offer, through ctypes. Every failure is an OSError that names the call.

Numbers are those of x86-64 and AArch64 Linux.
"""

import ctypes
import os
import platform
import signal
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_PIDFD = 0x00001000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4
AT_FDCWD, AT_RECURSIVE = -100, 0x8000

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
PR_SET_CHILD_SUBREAPER, PR_CAPBSET_DROP = 36, 24
LAST_CAPABILITY = 40
_CAPABILITY_VERSION_3 = 0x20080522

MACHINE = platform.machine()
_NUMBERS = {
    "x86_64": {"clone": 56, "pivot_root": 155, "seccomp": 317},
    "aarch64": {"clone": 220, "pivot_root": 41, "seccomp": 277},
}
_CLOSE_RANGE = 436
_SHARED = {
    "mount_setattr": 442, "landlock_create_ruleset": 444, "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)
_libc_with_gil = ctypes.PyDLL(None, use_errno=True)
for _library in (_libc, _libc_with_gil):
    _library.syscall.restype = ctypes.c_long
_close_range = _libc["syscall"]
_close_range.restype, _close_range.argtypes = ctypes.c_long, [ctypes.c_long, ctypes.c_uint, ctypes.c_uint, ctypes.c_int]


def call(name: str, *arguments: "int | bytes | ctypes.Array[ctypes.c_char] | None") -> int:
    """One system call. Raises OSError."""
    number = _SHARED.get(name) or _NUMBERS[MACHINE][name]
    return _checked(name, _libc.syscall(ctypes.c_long(number), *map(_argument, arguments)))


def close_from(first: int) -> None:
    """Close this descriptor and every higher one (Linux 5.9). Raises OSError."""
    _checked("close_range", _close_range(_CLOSE_RANGE, first, 0xFFFFFFFF, 0))


def clone(flags: int) -> tuple[int, int]:
    """Fork into new namespaces: (0, -1) in the child, (pid, pidfd) in the parent. Raises OSError.

    The caller must have one thread. The child of a raw clone has a stale thread id in the C library: it must not run
    programs itself, only fork ones that do.
    """
    pidfd = ctypes.c_int(-1)
    raw = [flags | CLONE_PIDFD | signal.SIGCHLD, 0, ctypes.addressof(pidfd), 0, 0]
    number = ctypes.c_long(_NUMBERS[MACHINE]["clone"])
    pid = _checked("clone", _libc_with_gil.syscall(number, *map(ctypes.c_long, raw)))
    return pid, pidfd.value if pid else -1


def unshare(flags: int) -> None:
    """Leave the namespaces named in flags for new ones. Raises OSError."""
    _checked("unshare", _libc.unshare(flags))


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2). Raises OSError naming the target."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), options.encode() or None
    )
    _checked(f"mount {target}", result)


def unmount(target: str) -> None:
    """Detach a mount. Raises OSError."""
    _checked(f"umount {target}", _libc.umount2(target.encode(), MNT_DETACH))


def restrict_mount(target: str, attributes: int) -> None:
    """Set mount attributes on a mount and on all below it (Linux 5.12). Raises OSError."""
    argument = ctypes.create_string_buffer(struct.pack("QQQQ", attributes, 0, 0, 0))
    call("mount_setattr", AT_FDCWD, target.encode(), AT_RECURSIVE, argument, 32)


def prctl(option: int, value: int = 0, *more: int) -> None:
    """prctl(2). Raises OSError."""
    words = [ctypes.c_ulong(word) for word in (value, *more, 0, 0, 0)[:4]]
    _checked(f"prctl {option}", _libc.prctl(ctypes.c_int(option), *words))


def drop_capabilities() -> None:
    """Empty every capability set of this thread but the bounding set; the ambient one follows. Raises OSError."""
    header = ctypes.create_string_buffer(struct.pack("II", _CAPABILITY_VERSION_3, 0))
    nothing = ctypes.create_string_buffer(24)
    _checked("capset", _libc.capset(header, nothing))


def drop_bounding_set() -> None:
    """Nothing that is executed from here on can gain a capability. Raises OSError."""
    for capability in range(LAST_CAPABILITY + 1):
        prctl(PR_CAPBSET_DROP, capability)


def set_hostname(name: str) -> None:
    """sethostname(2). Raises OSError."""
    _checked("sethostname", _libc.sethostname(name.encode(), len(name)))


def die_with_parent() -> None:
    """Be killed when the thread that forked us ends, and now if it has ended already."""
    parent = os.getppid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _argument(value: "int | bytes | ctypes.Array[ctypes.c_char] | None") -> object:
    return ctypes.c_long(value) if isinstance(value, int) else value


def _checked(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
