"""Checkpoints that were kept outside the ledger: beside the writers' keys, or wherever somebody put them."""

from collections.abc import Sequence
from pathlib import Path

from env_server.audit.sources import Signed
from env_server.ledger.notes import BadNote, Checkpoint, parse_checkpoint, read_verifier_key
from env_server.ledger.slots import CHECKPOINT_FILE
from rewarders.errors import ConfigError


def kept_beside(data_dir: Path) -> list[Signed]:
    """The newest checkpoint of each writer of a data directory, but for files that a power failure left empty.

    Raises ConfigError where one cannot be read.
    """
    found = sorted((data_dir / "writers").glob(f"*/{CHECKPOINT_FILE}"))
    return kept_in([path for path in found if path.stat().st_size])


def kept_in(paths: Sequence[Path]) -> list[Signed]:
    """The checkpoints in these files, whoever signed them. Raises ConfigError: one cannot be read, or holds none."""
    return [_kept_in(path) for path in paths]


def checkpoint_in(path: Path) -> Checkpoint:
    """The checkpoint in a file, whoever signed it. Raises ConfigError: it cannot be read, or holds none."""
    try:
        return parse_checkpoint(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the checkpoint {path} cannot be read: {error}") from error
    except BadNote as error:
        raise ConfigError(f"{path}: {error}", hint="give a file as the service wrote it") from error


def _kept_in(path: Path) -> Signed:
    said = checkpoint_in(path)
    return Signed(said.size, said.root, said.at_ms, said.note, str(path))


def read_key(given: str) -> bytes:
    """A writer's public key, as `audit writers` spells it, or out of a file. Raises ConfigError."""
    try:
        text = Path(given).read_text("utf-8") if "+" not in given else given
        return read_verifier_key(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--key {given[:80]!r} is no key, and no file that can be read") from error
    except BadNote as error:
        raise ConfigError(f"--key: {error}", hint="`env-server audit writers` lists the keys of a ledger") from error
