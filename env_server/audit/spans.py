"""Sets of places in a tree, as spans: from the first number up to, and without, the second. Pure."""

from collections.abc import Iterable, Iterator

from env_server.ledger.merkle import Span


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same places in the fewest spans, in order."""
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif begin < end:
            joined.append((begin, end))
    return joined


def of_numbers(numbers: Iterable[int]) -> list[Span]:
    """Single places as spans."""
    return merged((number, number + 1) for number in numbers)


def without(spans: Iterable[Span], removed: Iterable[Span]) -> Iterator[Span]:
    """The places of the first that are not among the second, in order."""
    holes = merged(removed)
    first = 0
    for begin, end in merged(spans):
        while first < len(holes) and holes[first][1] <= begin:
            first += 1
        for hole in holes[first:]:
            if hole[0] >= end:
                break
            if begin < hole[0]:
                yield begin, hole[0]
            begin = hole[1]
        if begin < end:
            yield begin, end


def shared(spans: Iterable[Span], others: Iterable[Span]) -> Iterator[Span]:
    """The places that are among both, in order."""
    wanted = list(spans)
    return without(wanted, without(wanted, others))


def total(spans: Iterable[Span]) -> int:
    """How many places there are."""
    return sum(end - begin for begin, end in spans)
