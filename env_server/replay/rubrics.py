"""Rubrics as they were: among those that are served, or in the ledger, which keeps every one."""

import asyncio
from dataclasses import dataclass, field

from pydantic import ValidationError

from env_server.ledger.reader import LedgerReader
from env_server.rubric_book import RubricBook
from rewarders.errors import UnknownRubric
from rewarders.rubric import Rubric


@dataclass
class RubricArchive:
    """Finds a rubric by name and digest."""

    book: RubricBook
    reader: LedgerReader
    _found: dict[tuple[str, str], Rubric | None] = field(default_factory=dict)

    async def find(self, name: str, digest: str) -> Rubric | None:
        """None where it is nowhere with these contents. Raises LedgerError."""
        if (name, digest) not in self._found:
            served = self._served(name)
            kept = served if served and served.digest == digest else await asyncio.to_thread(self._kept, name)
            self._found[name, digest] = kept if kept and kept.digest == digest else None
        return self._found[name, digest]

    def _served(self, name: str) -> Rubric | None:
        try:
            return self.book.get(name).rubric
        except UnknownRubric:
            return None

    def _kept(self, name: str) -> Rubric | None:
        document = self.reader.rubric(name)
        try:
            return Rubric.model_validate_json(document) if document else None
        except ValidationError:  # of a version that had other fields
            return None
