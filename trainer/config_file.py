"""Read a program's TOML file, apply `--set key=value`, and say exactly what is wrong with it."""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rewarders.errors import ConfigError

Config = TypeVar("Config", bound=BaseModel)


def load_config(model: type[Config], path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read `path` as a `model`, with `section.key=value` overrides on top.

    Raises:
        ConfigError: naming the key, the value and the file.
    """
    data = _read(path)
    for override in overrides:
        _set(data, override)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_sentence(error, path), hint="each option is explained in trainer/config.py") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="--config names a TOML file") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def _set(data: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *sections, last = key.strip().split(".")
    if not equals or not sections or not last:
        raise ConfigError(f"--set {override}: not of the form section.key=value")
    found: Any = data
    for section in sections:
        is_list = isinstance(found, list)  # as `data.sources` is in `data.sources.0.path`
        found = found[_place(found, section, override)] if is_list else found.setdefault(section, {})
        if not isinstance(found, dict | list):
            raise ConfigError(f"--set {override}: {section} is a value, not a section")
    found[_place(found, last, override) if isinstance(found, list) else last] = _value(text.strip())


def _place(entries: list[Any], text: str, override: str) -> int:
    if not text.isdecimal() or int(text) >= len(entries):
        raise ConfigError(f"--set {override}: {text} is none of the places 0 to {len(entries) - 1}")
    return int(text)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word or a path is a string; nobody wants to quote twice in a shell


def _sentence(error: ValidationError, path: Path) -> str:
    first = error.errors()[0]
    key = ".".join(str(step) for step in first["loc"]) or "the file"
    if first["type"] == "missing":
        return f"{path}: {key} is missing"
    if not first["loc"]:
        return f"{path}: {first['msg'].removeprefix('Value error, ')}"  # the value is all of the file
    value = json.dumps(first["input"], default=str)
    return f"{path}: {key} = {value[:200]}: {first['msg']}"
