"""Landlock: which files a program may touch, and nobody outside of its own run may be signalled. See landlock(7)."""

import ctypes
import os
import struct
from collections.abc import Sequence

from sandboxes.inside import kernel

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_TCP = 0b11
_SCOPES = 0b11
"""Abstract Unix sockets and signals."""
SCOPES_SINCE = 6
"""The version from which on a program cannot signal anybody outside of its run."""
_VERSION, _PATH_BENEATH = 1, 1


def abi() -> int:
    """The version the kernel offers; 0 without Landlock."""
    try:
        return kernel.call("landlock_create_ruleset", None, 0, _VERSION)
    except OSError:
        return 0


def restrict(version: int, readable: Sequence[str], writable: Sequence[str]) -> None:
    """Allow reading and executing below `readable`, everything below `writable`, and nothing elsewhere.

    What the kernel's version does not know is left out: `version` is what `abi()` said. Needs no_new_privs.

    Raises:
        OSError: a path is missing, or the kernel refuses.
    """
    everything = (1 << 13) - 1 | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    everything |= _IOCTL_DEV if version >= 5 else 0
    attributes = struct.pack("QQQ", everything, _TCP if version >= 4 else 0, _SCOPES if version >= SCOPES_SINCE else 0)
    size = 24 if version >= SCOPES_SINCE else 16 if version >= 4 else 8
    ruleset = kernel.call("landlock_create_ruleset", ctypes.create_string_buffer(attributes), size, 0)
    for path in readable:
        _allow(ruleset, path, _EXECUTE | _READ_FILE | _READ_DIR)
    for path in writable:
        _allow(ruleset, path, everything & ~(_IOCTL_DEV))
    kernel.call("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    if not os.path.isdir(path):
        access &= _ON_FILES
    rule = ctypes.create_string_buffer(struct.pack("=Qi", access, beneath))
    kernel.call("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0)
    os.close(beneath)
