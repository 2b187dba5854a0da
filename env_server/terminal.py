"""What the commands share: consoles, options, and text from elsewhere that stays text."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="TOML file; every setting has a default.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def print_json(value: Any) -> None:
    """Write a value to standard output for programs to read."""
    print(json.dumps(value, indent=2, ensure_ascii=False))  # noqa: T201


def plain(text: str) -> str:
    """Text from elsewhere stays text: no markup, no control characters."""
    return printable(text).replace("[", r"\[")


def printable(text: str) -> str:
    """Text from elsewhere without control characters, for where there is no markup."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def mark(ok: bool) -> str:
    """The beginning of a line that says whether something is as it should be."""
    return "[green]ok[/]  " if ok else "[red]bad[/] "
