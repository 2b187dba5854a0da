"""What citation rewarders cost as the sources of a task grow: CPU seconds for the first completion and for each other.

Each size is twice the one before. The bar is that the ratio of two neighbours stays near 2 up to ten megabytes: twice
the sources, twice the work. Up to 3.2 MB the runs of words of the sources are kept for the others of a group,
so that there is one step in what those cost. The stated limit, measured in the same run, is folding the sources once.

    python benchmarks/citation_sources.py [--largest-mb 10] [--json]
"""

import argparse
import json
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rewarders.citation import (
    CopyingParams,
    GroundedParams,
    GroundedReference,
    QuotesParams,
    Sources,
    copying,
    grounded,
    index,
    quotes,
)
from rewarders.prose.folding import folded
from rewarders.types import Completion

REWARDERS: dict[str, tuple[Callable[..., Any], Any, type[Sources]]] = {
    "citation.quotes": (quotes, QuotesParams(), Sources),
    "citation.copying": (copying, CopyingParams(), Sources),
    "citation.grounded": (grounded, GroundedParams(), GroundedReference),
}
SIZES = 3
OTHERS = 4
"""Completions of a group after the first."""


def sources(chars: int) -> list[str]:
    """Two sources of made-up sentences, as many different words as English has in common use."""
    chooser = random.Random(7)
    vocabulary = ["".join(chooser.choices("abcdefghijklmnoprstuvw", k=chooser.randint(2, 9))) for _ in range(20_000)]
    texts = []
    for _ in range(2):
        words = chooser.choices(vocabulary, weights=[1 / rank for rank in range(1, 20_001)], k=chars // 12)
        made = " ".join(f"{word.capitalize()}" if at % 12 == 0 else word for at, word in enumerate(words))
        texts.append(made.replace(" ", ". ", 1)[: chars // 2])
    return texts


def answer(texts: list[str], number: int) -> Completion:
    """Cites, quotes from all over the sources, and says some things of its own."""
    said = []
    for place in range(12):
        text = texts[place % 2]
        start = text.find(" ", (place + number) * len(text) // 20) + 1
        piece = text[start : text.find(" ", start + 60)].replace(".", "")
        said.append(f'In report {place} one reads "{piece}" [{place % 2 + 1}], as many people do.')
    return Completion(text=" ".join(said))


def seconds(work: Callable[[], Any]) -> float:
    """Of CPU time."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measured(name: str, texts: list[str]) -> dict[str, float]:
    """CPU seconds for a group's first completion, and for each of the others."""
    rewarder, params, reference = REWARDERS[name]

    def judge(number: int) -> None:
        rewarder(answer(texts, number), reference.model_validate({"sources": [*texts]}), params)

    for kept in (index._folded, index._runs_of):
        kept.cache_clear()  # what another rewarder has read of these sources
    first = seconds(lambda: judge(0))
    others = seconds(partial(list, map(judge, range(1, OTHERS + 1))))
    return {"first_s": first, "other_s": others / OTHERS}


def main() -> None:
    """Run every rewarder on every size and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest-mb", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = [int(options.largest_mb * 1e6 / 2**step) for step in reversed(range(SIZES))]
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in ("limit", *REWARDERS)}
    for size in sizes:
        texts = sources(size)
        size = sum(map(len, texts))
        figures["limit"].append({"chars": size, "first_s": seconds(partial(list, map(folded, texts)))})
        for name in REWARDERS:
            figures[name].append({"chars": size, **measured(name, texts)})
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{'':<20} {'characters':>12} {'first':>9} {'ratio':>6} {'each other':>11} {'ratio':>6}")
    for name, rows in figures.items():
        for row, before in zip(rows, [None, *rows], strict=False):
            print(f"{name:<20} {row['chars']:>12,} ", end="")
            for key, width in (("first_s", 8), ("other_s", 10)):
                ratio = f"{row[key] / before[key]:>6.2f}" if before and key in row else " " * 6
                print(f"{row[key]:>{width}.3f}s {ratio}" if key in row else "", end=" ")
            print()


if __name__ == "__main__":
    main()
