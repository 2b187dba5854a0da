"""Running what may raise anything."""

from types import TracebackType


class Attempt:
    """Keeps what a block raises, and the name of its type."""

    raised: str | None = None
    error: BaseException | None = None

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if kind is not None:
            self.raised, self.error = kind.__name__, error
        return True
