"""The logs of a run directory, read back."""

import json
from pathlib import Path
from typing import Any

from rewarders.errors import ConfigError


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a log. A last line that was never finished is left out."""
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()]


def read_log(run: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a log of the run directory `run`. Raises ConfigError where there is none, or it is torn."""
    try:
        return read_lines(run / name)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{run} holds no readable {name}: {error}", hint="--run names a run directory") from error
