"""Signed checkpoints: what a writer says of its tree, in the signed-note form of C2SP (signed-note, tlog-checkpoint).

    assay/4f1d0c2b9a8e7766
    1042
    9Hq0…root in base64…
    time 2026-11-21T14:28:38.125Z

    — assay/4f1d0c2b9a8e7766 …key id and Ed25519 signature in base64…

Everything up to the empty line is signed. A checkpoint stands alone: whoever has it and the public key can check it.
"""

import base64
import binascii
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from env_server.ledger.merkle import HASH_BYTES
from rewarders.errors import LedgerError

KEY_FILE = "key.pem"
KEY_BYTES = 32
_ED25519 = b"\x01"
"""Signed-note's number for the algorithm."""
_KEY_ID_BYTES = 4
_SIGNATURE_BYTES = 64
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_TIME = re.compile(r"time ([0-9T:.-]{23})Z")


class BadNote(LedgerError):
    """A note is not in its form, or its signature is not that of the key."""


@dataclass(frozen=True)
class Checkpoint:
    """What a writer signed: how large its tree was, and what its root was."""

    origin: str
    size: int
    root: bytes
    at_ms: int
    note: str
    """The whole of it, signature included."""


def name_of(public_key: bytes) -> str:
    """The name a writer signs with: the beginning of its key's digest, and nothing of the host it runs on."""
    return f"assay/{hashlib.sha256(public_key).hexdigest()[:16]}"


class Signer:
    """Holds a writer's private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.name = name_of(self.public_key)

    @classmethod
    def load_or_make(cls, directory: Path) -> "Signer":
        """The key of a writer's directory, made there when there is none.

        Raises:
            LedgerError: the file cannot be read or written, or holds no Ed25519 key.
        """
        path = directory / KEY_FILE
        if not path.exists():
            _make_key(path)
        return cls.load(directory)

    @classmethod
    def load(cls, directory: Path) -> "Signer":
        """The key of a writer's directory. Raises LedgerError."""
        path = directory / KEY_FILE
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise LedgerError(f"the signing key {path} cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise LedgerError(f"{path} holds no signing key", hint="put a copy back, or move it away") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise LedgerError(f"{path} holds a key that is not Ed25519", hint="move it away; a new one is made")
        return cls(key)

    def checkpoint(self, size: int, root: bytes, at_ms: int) -> str:
        """The signed note that says how large the tree is and what its root is, at a time in ms since 1970."""
        at = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at_ms % 1000:03}Z"
        return self.sign(f"{self.name}\n{size}\n{base64.b64encode(root).decode()}\ntime {at}\n")

    def sign(self, text: str) -> str:
        """A signed note of lines that each end in a newline, none of them empty."""
        signature = base64.b64encode(key_id(self.name, self.public_key) + self._key.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n"


def open_note(note: str, public_key: bytes, name: str = "") -> str:
    """The text of a signed note, if the key signed it. Signatures of others, such as witnesses, may be there too.

    Args:
        note: all of it.
        public_key: 32 bytes.
        name: whom the signature is of; a writer of ours if not given.

    Raises:
        BadNote: it is no signed note, or the signature is missing or wrong.
    """
    text, gap, signatures = note.rpartition("\n\n")
    text += "\n"
    name = name or name_of(public_key)
    if not gap or not signatures.endswith("\n"):
        raise BadNote("this is no signed note: an empty line and signatures have to follow the text")
    wanted = f"— {name} "
    mine = [line.removeprefix(wanted) for line in signatures.split("\n") if line.startswith(wanted)]
    if not mine:
        raise BadNote(f"the note is not signed by {name}")
    if not any(_is_signed(text, line, name, public_key) for line in mine):
        raise BadNote(f"the signature of {name} is wrong: the note was changed, or another key signed it")
    return text


def parse_checkpoint(note: str) -> Checkpoint:
    """What a checkpoint says, whoever signed it. Raises BadNote where it is none."""
    lines = note.rpartition("\n\n")[0].split("\n")
    time = _TIME.fullmatch(lines[3]) if len(lines) == 4 else None
    root = _unbase64(lines[2]) if time else b""
    if not time or not _SIZE.fullmatch(lines[1]) or len(root) != HASH_BYTES:
        raise BadNote("this is no checkpoint of a ledger: name, size, root and time have to be its lines")
    try:
        at_ms = round(datetime.fromisoformat(f"{time[1]}+00:00").timestamp() * 1000)
    except ValueError as error:
        raise BadNote(f"the checkpoint's time {time[1]!r} is none") from error
    return Checkpoint(lines[0], int(lines[1]), root, at_ms, note)


def open_checkpoint(note: str, public_key: bytes) -> Checkpoint:
    """What a checkpoint says, if the key signed it. Raises BadNote."""
    open_note(note, public_key)
    checkpoint = parse_checkpoint(note)
    if checkpoint.origin != name_of(public_key):
        raise BadNote(f"the checkpoint is of {checkpoint.origin[:80]!r}, and {name_of(public_key)} signed it")
    return checkpoint


def verifier_key(public_key: bytes) -> str:
    """The public key as signed-note spells it: name, key id, algorithm and key."""
    name = name_of(public_key)
    return f"{name}+{key_id(name, public_key).hex()}+{base64.b64encode(_ED25519 + public_key).decode()}"


def read_verifier_key(text: str) -> bytes:
    """The 32 bytes of a public key from `verifier_key`. Raises BadNote."""
    key = _unbase64(text.strip().partition("+")[2].partition("+")[2])[1:]
    if len(key) != KEY_BYTES or verifier_key(key) != text.strip():
        raise BadNote(f"{text.strip()[:120]!r} is no public key of a ledger's writer")
    return key


def _is_signed(text: str, line: str, name: str, public_key: bytes) -> bool:
    blob = _unbase64(line)
    if len(blob) != _KEY_ID_BYTES + _SIGNATURE_BYTES or not blob.startswith(key_id(name, public_key)):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(blob[_KEY_ID_BYTES:], text.encode())
    except InvalidSignature:
        return False
    return True


def key_id(name: str, public_key: bytes) -> bytes:
    """The four bytes that say which of a name's keys made a signature."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]


def _unbase64(text: str) -> bytes:
    """The only spelling of some bytes; nothing where it is another, or none."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return value if base64.b64encode(value).decode() == text else b""


def _make_key(path: Path) -> None:
    """Write a new key, there whole or not at all and readable by its owner alone; the first one made stays."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(prefix=".key-", dir=path.parent)  # 0600 from the beginning
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            os.link(made, path)
        except FileExistsError:
            pass  # somebody was faster
        finally:
            os.unlink(made)
        _sync_directory(path.parent)
    except OSError as error:
        raise LedgerError(f"the signing key {path} cannot be made: {error.strerror}") from error


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
