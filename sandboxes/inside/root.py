"""The file system a program sees: a read-only tree of bind mounts on a tmpfs, made once by the zygote."""

import os
from collections.abc import Sequence
from pathlib import Path

from sandboxes.inside import kernel

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
SCRATCH = "/tmp"
"""A tmpfs of each sandbox's own, and its work folder."""
_BUILD_AT = "/tmp"
_SEALED = kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NODEV


def build(mounts: Sequence[str], packages: Sequence[str], *, proc: bool) -> None:
    """Make the tree and move into it. Needs CAP_SYS_ADMIN over a mount namespace of our own.

    Args:
        mounts: absolute paths of the machine to show read-only at the same place. Missing ones are left out; symbolic
            links are made anew, so that what they name has to be mounted too.
        packages: folders to show as `packages_at` says, wherever on the machine they are: under /tmp, too.
        proc: keep a /proc for the keepers to cover with their own. Without it there is none.

    Raises:
        OSError: the kernel refuses one of the steps.
    """
    held = [os.open(path, os.O_PATH | os.O_DIRECTORY) for path in packages]
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", _BUILD_AT, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=1m,nr_inodes=4096")
    for path in readable(mounts):
        _bind(path)
    for path in mounts:
        _link(path)
    for descriptor, inside in zip(held, packages_at(packages), strict=True):
        os.makedirs(_BUILD_AT + inside)
        kernel.mount(f"/proc/self/fd/{descriptor}", _BUILD_AT + inside, flags=kernel.MS_BIND | kernel.MS_REC)
        kernel.restrict_mount(_BUILD_AT + inside, _SEALED)
        os.close(descriptor)
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


def packages_at(packages: Sequence[str]) -> list[str]:
    """Where `build` shows folders of packages."""
    return [f"/packages/{number}" for number in range(len(packages))]


def readable(mounts: Sequence[str]) -> list[str]:
    """Where the mounts that exist really are, without those that lie below another."""
    kept: list[str] = []
    for path in sorted({os.path.realpath(path) for path in mounts if os.path.exists(path)}):
        if not any(path == other or path.startswith(other + "/") for other in kept):
            kept.append(path)
    return kept


def _link(path: str) -> None:
    """Make anew the symbolic links that lead from a path to where it really is."""
    for link in _links_on_the_way(path):
        if not os.path.lexists(_BUILD_AT + link):
            _parents(link)
            os.symlink(os.readlink(link), _BUILD_AT + link)


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
    # Read-only holds for a device's times and rights, not for what is written to it.
    device = 0 if path in DEVICES else kernel.MOUNT_ATTR_NODEV
    kernel.restrict_mount(target, kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID | device)


def _parents(path: str) -> None:
    os.makedirs(os.path.dirname(_BUILD_AT + path), mode=0o755, exist_ok=True)


def _enter() -> None:
    os.chdir(_BUILD_AT)
    kernel.call("pivot_root", b".", b".")
    kernel.unmount(".")  # the old root, which lies on top of the new one
    os.chdir("/")
    sealed = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("none", "/", flags=sealed)
