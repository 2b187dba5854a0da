"""Reading an answer in lines, over as many connections as it takes. Pure: bytes in, finished groups out."""

from pydantic import TypeAdapter

from env_server.schemas import AnsweredPart, FailedPart, Problem, ScoredPart, StreamEnd

_LINE: TypeAdapter[AnsweredPart | FailedPart | StreamEnd] = TypeAdapter(AnsweredPart | FailedPart | StreamEnd)


class StreamReading:
    """What has come so far of the answers to a batch."""

    def __init__(self, count: int) -> None:
        """Of so many items."""
        self._asked = frozenset(range(count))
        self._missing = set(self._asked)
        self._rest = list[bytes]()
        """Pieces of a line that has not ended."""
        self.failed: Problem | None = None
        """Why a group was not answered on this connection, if one was not; the gravest if there are several."""

    @property
    def missing(self) -> int:
        """How many items have no answer yet."""
        return len(self._missing)

    def reconnect(self) -> None:
        """Forget the half of a line that the last connection broke off in."""
        self._rest.clear()
        self.failed = None

    def feed(self, data: bytes) -> list[ScoredPart]:
        """Take what has arrived, and hand out the groups it completes; those that have come before are left out.

        Raises:
            ValueError: this is no answer to the batch.
        """
        *ends, rest = data.split(b"\n")
        if ends:
            ends[0] = b"".join([*self._rest, ends[0]])
            self._rest.clear()
        self._rest.append(rest)
        return [part for line in ends if line for part in self._read(line)]

    def _read(self, line: bytes) -> list[ScoredPart]:
        match _LINE.validate_json(line):
            case AnsweredPart(indices=indices, items=items):
                new, old = self._missing.issuperset(indices), self._missing.isdisjoint(indices)
                if len(indices) != len(items) or not (new or old) or not self._asked.issuperset(indices):
                    raise ValueError("a group has other items than were asked for")
                self._missing.difference_update(indices)
                return [ScoredPart(indices, items)] if new else []
            case FailedPart(problem=problem):
                if self.failed is None or problem.status < self.failed.status:
                    self.failed = problem
            case StreamEnd():
                pass  # what matters is whether anything is missing
        return []
