"""What a machine, or an image, has of the tools that the languages need."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_PROBE_TIMEOUT_S = 60
_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Missing(Exception):
    """A tool is not there or does not work; the message says which."""


def find(tools: Mapping[str, str], roots: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> dict[str, str]:
    """The names that commands may use: those given, a path for each tool, and what the tools say their roots are.

    Raises:
        Missing: one of them is not there.
    """
    known = dict(names)
    for tool, command in tools.items():
        known[tool] = _path_of(command.format(**known))
    for root, argv in roots.items():
        known[root] = said_by([word.format(**known) for word in argv]).strip()
    return known


def said_by(argv: Sequence[str]) -> str:
    """What a command writes. Raises Missing when it does not work."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"{' '.join(argv)} does not work: {error}") from error
    return done.stdout or done.stderr


def survey(languages: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What there is for languages that are given by their `tools`, `roots` and `version`.

    Returns:
        for each the `names` of everything, the `folders` that its tools lie in, its `version`, and what is `missing`.
    """
    return {name: _surveyed(table) for name, table in languages.items()}


def _surveyed(table: Mapping[str, Any]) -> dict[str, Any]:
    python = os.path.realpath(sys.executable)
    names = {
        "python": python,
        "python_root": str(Path(python).parents[1]),
        "packages": sysconfig.get_paths()["purelib"],
    }
    try:
        names = find(table["tools"], table["roots"], names)
        version = said_by([word.format(**names) for word in table["version"]]).partition("\n")[0].strip()
    except Missing as missing:
        return {"names": names, "folders": [], "version": "", "missing": str(missing)}
    folders = sorted({os.path.dirname(os.path.realpath(names[tool])) for tool in table["tools"]})
    return {"names": names, "folders": folders, "version": version, "missing": None}


def _path_of(command: str) -> str:
    path = shutil.which(command, path=os.pathsep.join([os.environ.get("PATH", ""), _SEARCH]))
    if path is None:
        raise Missing(f"{command} is not on the PATH; install it, or leave the language to another machine")
    return path
