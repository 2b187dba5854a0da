"""`env-server plugins new`: a package with a rewarder, its cases, its test and its CI, which passes at once."""

import re
from importlib.resources import files
from pathlib import Path

from rewarders.errors import ConfigError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FILES = {
    "pyproject.toml": "pyproject.toml.in",
    "README.md": "README.md.in",
    ".gitignore": "gitignore.in",
    ".github/workflows/test.yml": "test.yml.in",
    "{package}/__init__.py": "package.py.in",
    "{package}/quotes.py": "quotes.py.in",
    "{package}/cases/{team}.quotes.jsonl": "quotes.jsonl.in",
    "tests/test_quotes.py": "test_quotes.py.in",
}
"""Path in the new package -> file in `plugin_template/`."""


def write_plugin(name: str, parent: Path) -> list[Path]:
    """Write the package `name` into `parent`, and return its files.

    Raises:
        ConfigError: the name will not do, or there is something of that name already.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name for a plug-in", hint="lower-case words joined by dashes, team first: acme-rewards"
        )
    folder = parent / name
    if folder.exists():
        raise ConfigError(f"{folder} is there already", hint="choose another name, or another place with --into")
    words = {"name": name, "package": name.replace("-", "_"), "team": name.partition("-")[0]}
    template = files("env_server") / "plugin_template"
    written = []
    for path, source in _FILES.items():
        target = folder / path.format(**words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled((template / source).read_text("utf-8"), words), "utf-8")
        written.append(target)
    return written


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"<<{word}>>", value)
    return text
