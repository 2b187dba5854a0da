"""The sources of a task, folded once for a whole group of completions."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

from rewarders.citation.reference import Sources
from rewarders.prose.folding import Folded, folded
from rewarders.prose.words import words

_TASKS_KEPT = 2
_BLOCK_CHARS = 50_000

_Run = tuple[str, ...]


def folded_sources(sources: Sources) -> dict[str, Folded]:
    """Each source folded, by its id."""
    return _folded(tuple(sources.sources.items()))


@lru_cache(maxsize=_TASKS_KEPT)
def _folded(sources: tuple[tuple[str, str], ...]) -> dict[str, Folded]:
    return {name: folded(text) for name, text in sources}


def copied_words(spelled: Sequence[str], sources: Sources, run: int) -> list[bool]:
    """Which words stand in a run of at least `run` words that some source has word for word.

    The answer's runs are looked up among those of the sources, piece by piece, so this is linear in both.
    """
    runs = _runs(spelled, run)
    wanted, met = set(runs), set[_Run]()
    for source in folded_sources(sources).values() if wanted else ():
        for start in range(0, len(source.text), _BLOCK_CHARS):
            met |= wanted & _runs_of(source.text[max(0, start - 64 * run) : start + _BLOCK_CHARS], run)
    copied = [False] * len(spelled)
    last = 0  # up to where words are known to be copied, so that each is marked once
    for at, sequence in enumerate(runs):
        if sequence in met:
            copied[max(at, last) : at + run] = [True] * (at + run - max(at, last))
            last = at + run
    return copied


@lru_cache(maxsize=64)
def _runs_of(block: str, length: int) -> frozenset[_Run]:
    """The runs of words in a piece of a source, which a whole group of completions is compared with."""
    return frozenset(_runs(words(block), length))


def _runs(spelled: Sequence[str], length: int) -> list[_Run]:
    return list(zip(*(islice(spelled, step, None) for step in range(length)), strict=False))
