"""What each step took, on record before anything is learnt from it: a run that goes on takes the same."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

CHOICES = "choices.jsonl"


class Choices:
    """The places of its own draw that each step waited for.

    Unlike the other logs it is not cut back to a checkpoint: what came after is done again, and must be done alike.
    """

    def __init__(self, directory: Path, *, going_on: bool) -> None:
        """Read what the run in `directory` took so far, or begin anew where it does not go on."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / CHOICES
        whole = path.read_bytes().rpartition(b"\n")[0] if going_on and path.exists() else b""
        lines = [json.loads(line) for line in whole.splitlines()]
        self._known: dict[int, tuple[int, ...]] = {line["step"]: tuple(line["groups"]) for line in lines}
        self._file = path.open("ab")
        self._file.truncate(len(whole) + 1 if whole else 0)

    def of(self, step: int) -> tuple[int, ...] | None:
        """What the step took; None where that is yet to be decided."""
        return self._known.get(step)

    def note(self, step: int, groups: Sequence[int]) -> None:
        """Put on record what a step takes, if it is not."""
        if step in self._known:
            return
        self._known[step] = tuple(groups)
        self._file.write(json.dumps({"step": step, "groups": list(groups)}).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
