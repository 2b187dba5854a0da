"""The file system a program sees: a read-only tree of bind mounts on a tmpfs, made once by the zygote for all its runs."""

import os
from collections.abc import Sequence
from pathlib import Path

from sandboxes.inside import kernel

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
SCRATCH = "/tmp"
"""Where each run gets a fresh tmpfs."""
WORK = SCRATCH + "/work"
"""The work folder."""
_BUILD_AT = "/tmp"


def build(mounts: Sequence[str], *, proc: bool) -> None:
    """Make the tree and move into it. Needs CAP_SYS_ADMIN over a mount namespace of our own.

    Args:
        mounts: absolute paths of the machine to show read-only at the same place. Missing ones are left out; symbolic
            links are made anew, so that what they name has to be mounted too.
        proc: keep a /proc for the keepers to cover with their own. Without it there is none.

    Raises:
        OSError: the kernel refuses one of the steps.
    """
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", _BUILD_AT, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=1m,nr_inodes=4096")
    for path in outermost(mounts):
        _show(path)
    for device in DEVICES:
        _bind(device)
    for link in ("/dev/shm", "/var/tmp"):
        _parents(link)
        os.symlink(SCRATCH, _BUILD_AT + link)
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{descriptor}", f"{_BUILD_AT}/dev/{name}")
    os.symlink("/proc/self/fd", _BUILD_AT + "/dev/fd")
    os.mkdir(_BUILD_AT + SCRATCH)
    os.mkdir(_BUILD_AT + "/proc")
    if proc:
        kernel.mount("/proc", _BUILD_AT + "/proc", flags=kernel.MS_BIND | kernel.MS_REC)
    _enter()


def outermost(mounts: Sequence[str]) -> list[str]:
    """The paths that exist and lie below none of the others, in order."""
    kept: list[str] = []
    for path in sorted({os.path.normpath(path) for path in mounts if os.path.lexists(path)}):
        if not any(path.startswith(other + "/") for other in kept if not os.path.islink(other)):
            kept.append(path)
    return kept


def readable(mounts: Sequence[str]) -> list[str]:
    """Where the mounts really are, for rules that do not follow links."""
    return sorted({os.path.realpath(path) for path in outermost(mounts)})


def _show(path: str) -> None:
    for link in _links_on_the_way(path):
        _parents(link)
        if not os.path.lexists(_BUILD_AT + link):
            os.symlink(os.readlink(link), _BUILD_AT + link)
    real = os.path.realpath(path)
    if not os.path.lexists(_BUILD_AT + real):
        _bind(real)


def _links_on_the_way(path: str) -> list[str]:
    return [str(step) for step in (*reversed(Path(path).parents), Path(path)) if step.is_symlink()]


def _bind(path: str) -> None:
    target = _BUILD_AT + path
    _parents(path)
    if os.path.isdir(path):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.mount(path, target, flags=kernel.MS_BIND | kernel.MS_REC)
    if path not in DEVICES:
        kernel.restrict_mount(target, kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NODEV)


def _parents(path: str) -> None:
    os.makedirs(os.path.dirname(_BUILD_AT + path), mode=0o755, exist_ok=True)


def _enter() -> None:
    os.chdir(_BUILD_AT)
    kernel.call("pivot_root", b".", b".")
    kernel.unmount(".")  # the old root, which lies on top of the new one
    os.chdir("/")
    sealed = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("none", "/", flags=sealed)
