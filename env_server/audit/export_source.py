"""An export, read to be verified. Whoever made it may have changed it: nothing in it is believed."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from env_server.audit.export_files import read_ledger
from env_server.audit.sources import Left, Row, Signed, Writer
from env_server.audit.tables import LEFT_OUT_FILE, RECORDS_FILE, TableReader
from env_server.ledger.merkle import Span
from env_server.ledger.notes import BadNote, name_of, parse_checkpoint, read_verifier_key


@dataclass(frozen=True)
class ExportSource:
    """The export in a directory."""

    directory: Path

    @cached_property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return read_ledger(self.directory).wanted is None

    def writers(self) -> list[Writer]:
        """Every writer that the export names, and those that only its records name."""
        places = self._places()
        known = []
        for number, said in enumerate(read_ledger(self.directory).writers):
            key = read_verifier_key(said.key)
            seqs = places.pop(name_of(key), [])
            inside = {seq for seq in seqs if 0 <= seq < said.size}
            signed = tuple(_signed(note) for note in said.checkpoints)
            end, strays = max(inside, default=-1) + 1, len(seqs) - len(inside)
            known.append(
                Writer(
                    number, name_of(key), key, said.size, bytes.fromhex(said.frontier), len(inside), end, strays, signed
                )
            )
        lost = [Writer(-1, str(name), b"", 0, b"", strays=len(seqs)) for name, seqs in places.items()]
        return known + lost

    def spans(self, writer: Writer) -> list[Span]:
        """One for each group of rows."""
        return sorted(self._groups.get(writer.name, {}))

    def rows(self, writer: Writer, span: Span) -> Iterator[Row]:
        """The records of a group of rows that are the writer's."""
        for group in self._groups.get(writer.name, {}).get(span, ()):
            mine = [row for row in self._records.rows(group) if row.columns["writer"] == writer.name]
            yield from sorted(mine, key=lambda row: row.columns["seq"])

    def left_out(self, writer: Writer) -> Iterator[Left]:
        """What a filter left out."""
        if self.whole:
            return iter(())
        return TableReader(self.directory / LEFT_OUT_FILE).left_out(writer.name)

    def wrong_bodies(self) -> Iterator[bytes]:
        """Bodies stand in the rows of their records, and are checked with them."""
        return iter(())

    def unknown(self, ids: set[bytes]) -> set[bytes]:
        """Which of the ids no record has."""
        return ids.difference(self._records.ids()) if ids else set()

    @property
    def _records(self) -> TableReader:
        return TableReader(self.directory / RECORDS_FILE)

    @cached_property
    def _groups(self) -> dict[str, dict[Span, list[int]]]:
        """Groups of rows by writer and by the span of their places."""
        groups: dict[str, dict[Span, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, names, seqs in self._records.groups():
            for name in set(names):
                mine = [seq for seq, whose in zip(seqs, names, strict=True) if whose == name]
                groups[name][min(mine), max(mine) + 1].append(number)
        return {name: dict(spans) for name, spans in groups.items()}

    def _places(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = defaultdict(list)
        for _, names, seqs in self._records.groups():
            for name, seq in zip(names, seqs, strict=True):
                places[name].append(seq)
        return places

    def __getstate__(self) -> dict[str, Path]:
        return {"directory": self.directory}


def _signed(note: str) -> Signed:
    try:
        said = parse_checkpoint(note)
    except BadNote:
        return Signed(-1, b"", -1, note)
    return Signed(said.size, said.root, said.at_ms, note)
