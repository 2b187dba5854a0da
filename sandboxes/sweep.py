"""Removes what the wardens of dead servers left: control groups, work folders of the landlock tier, containers.

Everything of ours carries the name of its owner, so that nothing of a living one is touched. Whoever runs this may lack
the rights to remove something: that stays, for whoever has them.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sandboxes.inside import clearing
from sandboxes.inside.cgroups import PREFIX, leftovers, owner_is_gone
from sandboxes.inside.root import SCRATCH


def sweep(cgroup: str = "") -> list[str]:
    """Remove what is left on this machine, containers included; what was removed. Never raises.

    Args:
        cgroup: the delegated control group (version 2) that the servers use, if they were told one.
    """
    return [*sweep_here(cgroup), *_containers()]


def sweep_here(cgroup: str = "") -> list[str]:
    """As `sweep`, without asking a container engine: cheap enough for every start."""
    return [*_control_groups(Path(cgroup) if cgroup.strip("-") else None), *_work_folders()]


def _control_groups(parent: Path | None) -> Iterator[str]:
    with suppress(OSError):  # another sweep is quicker, or there are no control groups here
        for folder in leftovers(parent):
            with suppress(OSError):
                folder.rmdir()
                yield str(folder)


def _work_folders() -> Iterator[str]:
    for folder in sorted(Path(SCRATCH).glob(f"{PREFIX}*")):
        if owner_is_gone(folder.name) and _may_be_cleared(folder) and clearing.remove(str(folder)):
            yield str(folder)


def _may_be_cleared(folder: Path) -> bool:
    """A folder of our own user's, or any for root. Anybody may put a link of that name there."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and os.geteuid() in (0, found.st_uid)


def _containers() -> list[str]:
    from sandboxes.docker import sweep_containers

    return sweep_containers()
