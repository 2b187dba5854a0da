"""Where a client's key comes from: an argument, a file, or the environment. Never an address."""

import os
from pathlib import Path

from rewarders.errors import ConfigError

KEY_VARIABLE = "ASSAY_KEY"
FILE_VARIABLE = "ASSAY_KEY_FILE"


def key_for_client(given: str | None) -> str | None:
    """The key that was given, or else what `ASSAY_KEY` holds, or the file that `ASSAY_KEY_FILE` names; None for none.

    Raises:
        ConfigError: the file cannot be read, or what is there cannot be a key. The message does not repeat it.
    """
    if given is not None:
        return _checked(given, "key")
    if key := os.environ.get(KEY_VARIABLE):
        return _checked(key, KEY_VARIABLE)
    if name := os.environ.get(FILE_VARIABLE):
        return key_in(Path(name), FILE_VARIABLE)
    return None


def key_in(path: Path, setting: str) -> str:
    """What a file holds, without white space around it. Raises ConfigError, naming the setting that named the file."""
    try:
        return _checked(path.read_text("utf-8").strip(), f"the file {str(path)!r} of {setting}")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{setting} is {str(path)!r}, which cannot be read: {why}") from error


def _checked(key: str, where: str) -> str:
    if not (key.isascii() and key.isprintable() and key) or " " in key:
        raise ConfigError(f"{where} holds no key: it is empty, or has characters that no key has")
    return key
