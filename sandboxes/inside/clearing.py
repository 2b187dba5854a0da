"""Removes what a program made: any number of files, folders of any depth, whatever rights it took away.

Never follows a link, and names nothing by its whole path: whoever swaps a folder for a link meanwhile gains nothing.
"""

import os
from contextlib import suppress

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def empty(top: str) -> None:
    """Remove everything in a folder. Raises OSError for what resists."""
    with suppress(PermissionError):  # not ours to allow; it may be open to us as it is
        _allow(top)
    above = os.open(top, _FOLDER)
    try:
        while names := _emptied_of_files(above):
            for name in names:
                _pull_up(above, name)
    finally:
        os.close(above)


def remove(top: str) -> bool:
    """Remove a folder and everything in it; False while something resists."""
    with suppress(OSError):
        empty(top)
        os.rmdir(top)
    return not os.path.lexists(top)


def _pull_up(above: int, name: str) -> None:
    """Remove a folder, with the folders in it put beside it: a tree is gone after as many rounds as it is deep."""
    _allow(name, above)
    folder = os.open(name, _FOLDER, dir_fd=above)
    try:
        for inner in _emptied_of_files(folder):
            _allow(inner, folder)  # one can only be moved by who may write to it
            os.rename(inner, os.urandom(12).hex(), src_dir_fd=folder, dst_dir_fd=above)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=above)


def _emptied_of_files(folder: int) -> list[str]:
    """Remove what is not a folder; the names of what is."""
    with os.scandir(folder) as listed:
        entries = list(listed)  # before the first is gone
    folders = []
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
        else:
            os.unlink(entry.name, dir_fd=folder)
    return folders


def _allow(name: str, above: int | None = None) -> None:
    """Take our rights back. Root needs none, and must not: this alone would follow a link."""
    if os.geteuid() != 0:
        os.chmod(name, 0o700, dir_fd=above)
