"""A request body as it comes in: in memory while it is short, else in a file that another process can read."""

import os

LARGE_BYTES = 1024 * 1024
"""A longer body is never held in one piece by the process that serves: allocating, joining and parsing it would each
keep everybody else waiting."""


class Spool:
    """Takes a body piece by piece. Close it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._file: int | None = None
        self.size = 0
        """Bytes so far."""

    def add(self, piece: bytes) -> None:
        """The next piece."""
        self.size += len(piece)
        if self._file is None and self.size <= LARGE_BYTES:
            self._pieces.append(piece)
            return
        self._spill()
        self._write(piece)

    def _spill(self) -> None:
        if self._file is None:
            self._file = os.memfd_create("body", os.MFD_CLOEXEC)
            for piece in self._pieces:
                self._write(piece)
            self._pieces.clear()

    def _write(self, piece: bytes) -> None:
        assert self._file is not None
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    @property
    def is_large(self) -> bool:
        """Whether it is for another process to read."""
        return self._file is not None

    def content(self) -> bytes:
        """All of a body that is not large."""
        assert self._file is None
        return b"".join(self._pieces)

    def file(self) -> int:
        """Descriptor of a file that holds all of it, to be read from its beginning."""
        self._spill()
        assert self._file is not None
        return self._file

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
