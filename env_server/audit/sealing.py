"""Sealing: an export of everything, with a signed manifest, to be put where it lasts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from env_server.audit.export_files import File, Hex, Size, digest_of, read_ledger
from env_server.audit.exporting import Exported, making, write_export
from env_server.audit.findings import Damage, Finding
from env_server.ledger.merkle import Frontier
from env_server.ledger.notes import (
    KEY_FILE,
    BadNote,
    Signer,
    name_of,
    open_checkpoint,
    open_note,
    read_verifier_key,
    verifier_key,
)
from env_server.ledger.place import Place
from rewarders.errors import LedgerError

MANIFEST_FILE = "manifest.json"
NOTE_FILE = "manifest.note"
_SEALED = "assay/seal"


class SealedFile(File):
    """A file of a sealed export."""

    name: str
    size: Size
    sha256: Hex


class SealedTree(File):
    """A tree of a sealed export."""

    name: str
    """The writer."""
    size: Size
    """Records that are sealed."""
    root: Hex


class Manifest(File):
    """`manifest.json`."""

    format: Literal["assay.seal/1"] = "assay.seal/1"
    created: str
    key: str
    """Public key of the writer that signed `manifest.note`, as signed-note spells it."""
    files: tuple[SealedFile, ...]
    trees: tuple[SealedTree, ...]


@dataclass(frozen=True)
class Sealed:
    """What was sealed."""

    exported: Exported
    trees: tuple[SealedTree, ...]
    signed_by: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            **self.exported.as_json(),
            "signed_by": self.signed_by,
            "trees": [one.model_dump() for one in self.trees],
        }


def seal(place: Place, directory: Path, *, progress: Callable[[int], None] = lambda _: None) -> Sealed:
    """Export all there is into a new directory, and sign that. Every commit was signed by its writer already.

    Raises:
        ConfigError: the directory is there already.
        LedgerError: there is no key to sign with, or the ledger cannot be read or does not verify.
    """
    signer = _signer(place)
    with making(directory) as unfinished:
        exported = write_export(place, unfinished, progress=progress)
        trees = _trees(unfinished)
        manifest = Manifest(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            key=verifier_key(signer.public_key),
            files=tuple(_sealed_file(path) for path in sorted(unfinished.iterdir())),
            trees=trees,
        )
        (unfinished / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n", "utf-8")
        note = signer.sign(f"{_SEALED}\nsha256 {digest_of(unfinished / MANIFEST_FILE)}\n")
        (unfinished / NOTE_FILE).write_text(note, "utf-8")
    return Sealed(replace(exported, directory=directory), trees, signer.name)


def is_sealed(directory: Path) -> bool:
    """Whether an export says of itself that it is sealed."""
    return (directory / MANIFEST_FILE).exists() or (directory / NOTE_FILE).exists()


def wrong_with_seal(directory: Path) -> Iterator[Finding]:
    """What is not as it was sealed. Raises LedgerError where a file cannot be read."""
    try:
        manifest = Manifest.model_validate_json((directory / MANIFEST_FILE).read_bytes())
        key = read_verifier_key(manifest.key)
        text = open_note((directory / NOTE_FILE).read_text("utf-8"), key)
    except (OSError, UnicodeDecodeError, ValidationError, BadNote) as error:
        yield Finding(Damage.SEAL, f"the seal cannot be opened: {str(error).splitlines()[0]}")
        return
    if text != f"{_SEALED}\nsha256 {digest_of(directory / MANIFEST_FILE)}\n":
        yield Finding(Damage.SEAL, f"{MANIFEST_FILE} is not the one that {name_of(key)} signed")
    if manifest.key not in {writer.key for writer in read_ledger(directory).writers}:
        yield Finding(Damage.SEAL, f"{name_of(key)} sealed it, and is no writer of this ledger")
    for sealed in manifest.files:
        if problem := _wrong_file(directory / Path(sealed.name).name, sealed):
            yield Finding(Damage.SEAL, f"{sealed.name[:80]} {problem}")


def _wrong_file(path: Path, sealed: SealedFile) -> str:
    try:
        same = (path.stat().st_size, digest_of(path)) == (sealed.size, sealed.sha256)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if same else "is not the one that was sealed"


def _signer(place: Place) -> Signer:
    directory = place.data_dir / "writers" if place.data_dir else None
    keys = sorted(directory.glob(f"*/{KEY_FILE}")) if directory else []
    if not keys:
        raise LedgerError(f"there is no key to seal with in {directory}", hint="give the service's --data-dir")
    return Signer.load(keys[0].parent)


def _trees(directory: Path) -> tuple[SealedTree, ...]:
    """The trees as they were exported. Raises LedgerError where one is not what its writer signed."""
    trees = []
    for written in read_ledger(directory).writers:
        key = read_verifier_key(written.key)
        root = Frontier.load(written.size, bytes.fromhex(written.frontier)).root
        if written.size and (written.size, root) not in {_signed(note, key) for note in written.checkpoints[-1:]}:
            raise LedgerError(
                f"the {written.size} records of {name_of(key)} are not those it signed: nothing was sealed",
                hint="`env-server audit verify` says what is wrong",
            )
        trees.append(SealedTree(name=name_of(key), size=written.size, root=root.hex()))
    return tuple(trees)


def _signed(note: str, key: bytes) -> tuple[int, bytes] | None:
    try:
        signed = open_checkpoint(note, key)
    except BadNote:
        return None
    return signed.size, signed.root


def _sealed_file(path: Path) -> SealedFile:
    return SealedFile(name=path.name, size=path.stat().st_size, sha256=digest_of(path))
