"""Rubrics as TOML files: those that ship with Assay, and those of a service."""

import glob
import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from rewarders.errors import ConfigError
from rewarders.rubric import Rubric


def load_rubric(path: Path) -> Rubric:
    """Read one rubric from a TOML file.

    Raises:
        ConfigError: naming the file, the key and what is wrong with it.
    """
    try:
        return parse_rubric(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(f"cannot read the rubric {path}: {error.strerror}") from error


def parse_rubric(data: bytes, source: str) -> Rubric:
    """Parse one rubric; `source` is what an error calls it. Raises ConfigError."""
    try:
        return Rubric.model_validate(tomllib.loads(data.decode("utf-8"))).read_from(source)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{source} is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"]) or "the rubric"
        raise ConfigError(f"{source}: {key}: {first['msg']}") from error


def built_in_rubrics() -> dict[str, Rubric]:
    """The rubrics that ship with Assay, by name."""
    files = (entry for entry in resources.files("rewarders.rubrics").iterdir() if entry.name.endswith(".toml"))
    rubrics = [parse_rubric(entry.read_bytes(), entry.name).read_from("built in") for entry in files]
    return {rubric.name: rubric for rubric in sorted(rubrics, key=lambda rubric: rubric.name)}


def read_rubrics(patterns: Iterable[str]) -> list[Rubric]:
    """Every rubric whose file one of the patterns names, as in `rubrics/*.toml`.

    Raises:
        ConfigError: a pattern names no file, a file is no rubric, or two files have rubrics of one name.
    """
    found: dict[str, Rubric] = {}
    for path in dict.fromkeys(path for pattern in patterns for path in _matching(pattern)):
        rubric = load_rubric(path)
        if other := found.get(rubric.name):
            raise ConfigError(f"rubric {rubric.name!r} is in two files, {other.source} and {path}")
        found[rubric.name] = rubric
    return list(found.values())


def _matching(pattern: str) -> list[Path]:
    paths = sorted(Path(name) for name in glob.glob(pattern, recursive=True))
    if not paths:
        raise ConfigError(f"rubric_files has {pattern!r}, and there is no such file", hint="give paths of TOML files")
    return paths
