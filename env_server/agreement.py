"""How far people agree who labelled the same completions. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from env_server.judges.calibrations import Figure
from env_server.judges.statistics import bootstrapped, interval, krippendorff, nominal
from env_server.ledger.entry import Kind


@dataclass(frozen=True)
class Agreement:
    """Of the labels of some records."""

    labels: int
    """Those that stand."""
    invalid: int
    completions: int
    shared: int
    """Completions that more than one person labelled."""
    people: int
    alpha: Figure
    """Krippendorff's, with its 95 % interval; no value where there is nothing to compare."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**self.__dict__, "alpha": self.alpha.model_dump(mode="json")}

    def sentence(self) -> str:
        """For people."""
        counts = f"{self.labels} labels of {self.completions} completions by {self.people} people"
        if self.alpha.value is None or self.alpha.low is None or self.alpha.high is None:
            return f"{counts}; {self.shared} have more than one, which says nothing of agreement"
        around = f"95 %: {self.alpha.low:.3f} to {self.alpha.high:.3f}"
        return f"{counts}; alpha is {self.alpha.value:.3f} ({around}) over the {self.shared} with more than one"


def agreement(labels: Iterable[Mapping[str, Any]]) -> Agreement:
    """Of label records, as the reader gives them; the last word of each person on a completion is the one that counts.

    Labels that are all numbers are compared by their distance, all others as names.
    """
    said: dict[str, dict[str, tuple[str, Any]]] = {}
    invalid = 0
    for one in labels:
        if any(note["kind"] == Kind.INVALIDATION for note in one["notes"]):
            invalid += 1
            continue
        by, label = one["detail"].get("by"), one["detail"].get("label")
        if by is None or label is None:  # erased
            continue
        people = said.setdefault(one["about"], {})
        people[by] = max(people.get(by, ("", None)), (one["id"], label), key=lambda held: held[0])
    units = [[label for _, label in people.values()] for people in said.values()]
    return Agreement(
        labels=sum(map(len, units)),
        invalid=invalid,
        completions=len(units),
        shared=sum(len(unit) > 1 for unit in units),
        people=len({by for people in said.values() for by in people}),
        alpha=_alpha(units),
    )


def _alpha(units: list[list[Any]]) -> Figure:
    every = [label for unit in units for label in unit]
    if all(isinstance(label, float | int) and not isinstance(label, bool) for label in every):
        return bootstrapped(lambda drawn: krippendorff(drawn, interval), units)
    names = {repr(label): float(place) for place, label in enumerate(every)}
    named = [[names[repr(label)] for label in unit] for unit in units]
    return bootstrapped(lambda drawn: krippendorff(drawn, nominal), named)
