"""What `doctor` prints: the layers of isolation, whether they hold here, and what to do about those that do not."""

from dataclasses import dataclass
from typing import Any

_NO_GROUPS = (
    "name a delegated version 2 group (systemd: Delegate=yes), or run as root; until then nothing holds the memory of"
    " several processes together but their number"
)


@dataclass(frozen=True)
class Layer:
    """One layer."""

    name: str
    holds: bool
    detail: str
    remedy: str = ""


def layers_of(tier: str, zygote: dict[str, Any], hello: dict[str, Any]) -> list[Layer]:
    """The layers of a running backend, from what its processes said when they started."""
    full = tier == "full"
    landlock = int(zygote["landlock"])
    named = "new for every submission" if full else "not in this tier"
    spaces = ("user", "pid", "mount", "network", "ipc", "uts")
    allow = "" if full else "allow user namespaces and use the full tier"
    return [
        *(Layer(f"{space} namespace", full, named, allow) for space in spaces),
        Layer("read-only root", full, "bind mounts on a private tmpfs" if full else "not in this tier", allow),
        Layer("capabilities", True, "all dropped, and no_new_privs set"),
        Layer("seccomp", True, "allow-list of system calls"),
        Layer("landlock", landlock > 0, f"ABI {landlock}", "" if landlock else "run Linux 5.13 or newer, Landlock on"),
        Layer("landlock scopes", landlock >= 6, "signals, abstract sockets", "" if full else "run Linux 6.12 or newer"),
        Layer("rlimits", True, "CPU, file size, open files, processes, stack, core"),
        Layer(
            "control groups", bool(hello["cgroups"]), str(hello["cgroups_detail"]),
            "" if hello["cgroups"] else _NO_GROUPS,
        ),
    ]  # fmt: skip
