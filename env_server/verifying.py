"""`env-server audit verify`: the ledger's own check, with a progress bar."""

from contextlib import closing
from pathlib import Path

from env_server.ledger.reader import LedgerReader, Verification
from env_server.progress import progress_bar
from rewarders.errors import ConfigError

_HASH_CHARS = 64


def verify(data_dir: Path, head: str | None) -> Verification:
    """Verify a ledger, against a head kept elsewhere if one is given.

    Raises:
        ConfigError: the head is not a hash.
        LedgerError: there is no ledger, or it cannot be read.
    """
    with closing(LedgerReader(data_dir)) as reader, progress_bar("verifying", reader.count()) as advance:
        return reader.verify(_hash(head), advance)


def _hash(head: str | None) -> bytes | None:
    if head is None:
        return None
    try:
        value = bytes.fromhex(head)
    except ValueError:
        value = b""
    if len(value) * 2 != _HASH_CHARS:
        raise ConfigError(f"--head is {head[:80]!r}; a head is {_HASH_CHARS} hexadecimal digits, as `verify` prints it")
    return value
