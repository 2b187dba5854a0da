"""Sealing: an export up to the newest signed checkpoints, with a signed manifest, to be put where it lasts."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from env_server.audit.database_source import reading, writers_in
from env_server.audit.export_files import File, Hex, Size, digest_of, read_ledger
from env_server.audit.exporting import Exported, making, write_export
from env_server.audit.findings import Damage, Finding
from env_server.audit.sources import Writer
from env_server.ledger.merkle import EMPTY_ROOT, Frontier
from env_server.ledger.notes import KEY_FILE, BadNote, Signer, name_of, open_note, read_verifier_key, verifier_key
from env_server.ledger.opening import open_to_write
from env_server.ledger.place import Place
from env_server.ledger.publishing import Publisher
from env_server.ledger.slots import CHECKPOINT_FILE, claim_idle_slots
from env_server.ledger.tree import WriterTree
from rewarders.errors import LedgerError

MANIFEST_FILE = "manifest.json"
NOTE_FILE = "manifest.note"
_SEALED = "assay/seal"
_WAIT_S, _LOOK_EVERY_S = 5.0, 0.2


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
    unsigned: Size
    """Records that came later, and are not in it."""


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
    """Sign where the trees end, and export what was signed into a new directory.

    Writers that run sign for themselves, within a second. What other hosts wrote is sealed up to their newest
    checkpoints.

    Raises:
        ConfigError: the directory is there already.
        LedgerError: there is no key to sign with, or the ledger cannot be read or does not verify.
    """
    signer = _signer(place)
    _sign_idle_writers(place)
    newest = _newest_signed(place)
    with making(directory) as unfinished:
        exported = write_export(
            place, unfinished, sizes=lambda one: newest.get(one.id, _NOTHING).size, progress=progress
        )
        trees = _trees(unfinished, newest.values())
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


def _sign_idle_writers(place: Place) -> None:
    """Whoever ended without signing, for want of a moment, is signed for."""
    assert place.data_dir is not None, "there was a key in it"
    database = open_to_write(place)
    try:
        for slot in claim_idle_slots(place.data_dir):
            try:
                publisher = Publisher([slot.directory / CHECKPOINT_FILE])
                WriterTree(database, slot, publisher.publish).sign()
                publisher.flush()
            finally:
                slot.release()
    finally:
        database.dispose()


def _newest_signed(place: Place) -> dict[int, "_Newest"]:
    """How much of each tree is signed, once the writers that run have had time to sign."""
    deadline = time.monotonic() + _WAIT_S
    wanted = {one.id: one.size for one in _writers(place)}
    while True:
        newest = {one.id: _Newest.of(one) for one in _writers(place)}
        late = any(newest[one].size < size for one, size in wanted.items() if one in newest)
        if not late or time.monotonic() > deadline:
            return newest
        time.sleep(_LOOK_EVERY_S)


@dataclass(frozen=True)
class _Newest:
    """A tree and the newest checkpoint of it."""

    name: str
    size: int
    root: bytes
    written: int

    @classmethod
    def of(cls, writer: Writer) -> "_Newest":
        signed = [one for one in writer.checkpoints if one.size <= writer.size]
        newest = max(signed, key=lambda one: one.size, default=None)
        size, root = (newest.size, newest.root) if newest else (0, EMPTY_ROOT)
        return cls(writer.name, size, root, writer.size)


_NOTHING = _Newest("", 0, EMPTY_ROOT, 0)
"""Of a writer that came after the others were looked at."""


def _writers(place: Place) -> list[Writer]:
    with reading(place) as connection:
        return [one for one in writers_in(connection) if one.public_key]


def _trees(directory: Path, newest: Iterable[_Newest]) -> tuple[SealedTree, ...]:
    """The trees as they were exported. Raises LedgerError where one is not what its writer signed."""
    known = {one.name: one for one in newest}
    trees = []
    for written in read_ledger(directory).writers:
        name = name_of(read_verifier_key(written.key))
        signed = known.get(name, replace(_NOTHING, name=name))
        root = Frontier.load(written.size, bytes.fromhex(written.frontier)).root
        if root != signed.root:
            raise LedgerError(
                f"the first {written.size} records of {signed.name} are not those it signed: nothing was sealed",
                hint="`env-server audit verify` says what is wrong",
            )
        unsigned = signed.written - signed.size
        trees.append(SealedTree(name=signed.name, size=written.size, root=root.hex(), unsigned=unsigned))
    return tuple(trees)


def _sealed_file(path: Path) -> SealedFile:
    return SealedFile(name=path.name, size=path.stat().st_size, sha256=digest_of(path))
