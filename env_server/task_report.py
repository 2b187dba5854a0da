"""How `env-server check-tasks` says what it found: line by line for people, one document for programs."""

import json
import sys
from typing import TextIO

from env_server.task_checking import Found, Tally
from env_server.terminal import out, plain

_ROW = "{:>8}  {:<24}  {:<16}  {:<18}  "


class Table:
    """A row for each problem as it is found, and the counts below."""

    def __init__(self) -> None:
        self._begun = False

    def add(self, found: Found) -> None:
        """Print one problem."""
        if not self._begun:
            out.print(f"[bold]{_ROW.format('line', 'task', 'rewarder', 'code')}message[/]")
            self._begun = True
        row = plain(_ROW.format(found.line, found.task or "-", found.rewarder or "-", found.problem.code))
        colour = "red" if found.problem.severity == "error" else "yellow"
        out.print(f"{row}[{colour}]{found.problem.severity}:[/] {plain(found.problem.message)}", highlight=False)

    def close(self, tally: Tally) -> None:
        """Print the counts."""
        out.print(tally.sentence())


class Document:
    """One JSON object, written as it grows."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout  # as it is now: a progress bar puts something else in its place
        self._before = '{"problems": ['

    def add(self, found: Found) -> None:
        """Write one problem."""
        self._stream.write(f"{self._before}\n  {json.dumps(found.as_json(), ensure_ascii=False)}")
        self._before = ","

    def close(self, tally: Tally) -> None:
        """Write the counts, and close the object."""
        opening = "" if self._before == "," else self._before
        self._stream.write(f"{opening}],\n{json.dumps(tally.as_json())[1:]}\n")
