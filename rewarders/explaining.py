"""A reward in one sentence. Pure, and made of names, reason codes and numbers alone: no text of task or completion."""

import math
from collections.abc import Iterator, Sequence

from rewarders.rubric import Part, Rubric
from rewarders.types import Component, Verdict


def explain(rubric: Rubric, components: Sequence[Component], reward: float | None) -> str:
    """Say where a reward came from, or why there is none.

    Args:
        rubric: by which it was combined.
        components: as `combine()` gave them back.
        reward: what `combine()` gave beside them.
    """
    placed = list(zip(rubric.parts, components, strict=True))
    if reward is None:
        return "; ".join([_why_unscored(placed), *_beside(placed)])
    closed = _closed(placed)
    first = _settled(placed, closed[0], reward) if closed else _paid(rubric, placed, reward)
    too = [f"gate {one.rewarder} was closed too ({one.verdict.reason})" for _, one in closed[1:] if one.verdict]
    failed = [f"{one.rewarder} failed with {one.fault.kind}, which changed nothing" for _, one in placed if one.fault]
    return "; ".join([first, *too, *failed, *_beside(placed)])


def _paid(rubric: Rubric, placed: Sequence[tuple[Part, Component]], reward: float) -> str:
    paid = [(part, one, one.verdict) for part, one in placed if one.weight and one.verdict]
    terms = _listed([_term(part, one) for part, one, _ in paid])
    below = rubric.denominator_of([one.weight for _, one in placed])
    uncapped = math.fsum(one.weight * part.effective(verdict.score) for part, one, verdict in paid) / below
    if rubric.cap is not None and uncapped > rubric.cap:
        return f"{terms}, scaled down from {_number(uncapped)} to the cap of {_number(rubric.cap)}"
    return f"{terms} make {_number(reward)}" if len(paid) > 1 else terms


def _settled(placed: Sequence[tuple[Part, Component]], closed: tuple[Part, Component], reward: float) -> str:
    """What was earned, and what became of it. The gate's own contribution is what it took."""
    earned = [_term(part, one) for part, one in placed if one.contribution and one is not closed[1]]
    part, gate = closed
    assert gate.verdict is not None, "a fault closes no gate"
    short = f" ({_shortfall(part, gate.verdict)})" if _shortfall(part, gate.verdict) else ""
    taken = f"{_listed(earned)}, set to" if earned else "set to"
    return f"{taken} {_number(reward)} by gate {gate.rewarder}: {gate.verdict.reason}{short}"


def _why_unscored(placed: Sequence[tuple[Part, Component]]) -> str:
    for part, one in placed:
        if one.fault and (part.gate or one.weight):
            again = ", which another attempt may mend" if one.fault.retryable else ""
            return f"unscored: {_role(part)}{one.rewarder} failed with {one.fault.kind}{again}"
        if part.gate and one.observed:
            return f"unscored: gate {one.rewarder} is an opinion that must not be relied on yet"
    return "unscored: nothing is left that may be paid"


def _beside(placed: Sequence[tuple[Part, Component]]) -> Iterator[str]:
    """What is on the record, and was never to be paid."""
    for part, one in placed:
        if one.observed and not part.gate:
            yield f"{one.rewarder} only observes, as an opinion that must not be relied on yet"
        elif one.verdict and not part.gate and not one.weight:
            yield f"observed: {_number(one.verdict.score)} by {one.rewarder} ({one.verdict.reason})"


def _closed(placed: Sequence[tuple[Part, Component]]) -> list[tuple[Part, Component]]:
    """The closed gates; first the one that settled it, as in `combine()`."""
    closed = [(part, one) for part, one in placed if part.gate and not one.observed and _is_nothing(part, one.verdict)]
    return sorted(closed, key=lambda pair: pair[0].settles_at)


def _is_nothing(part: Part, verdict: Verdict | None) -> bool:
    return verdict is not None and part.effective(verdict.score) == 0


def _term(part: Part, one: Component) -> str:
    assert one.verdict is not None, "a fault is not paid"
    notes = [one.verdict.reason, _shortfall(part, one.verdict)]
    if part.inverted:
        notes.insert(1, f"score {_number(one.verdict.score)} inverted")
    if part.read(one.verdict.score) > part.cap:
        notes.append(f"{_number(part.read(one.verdict.score))} capped at {_number(part.cap)}")
    if isinstance(part.weight, tuple):
        notes.append(f"weight {_number(one.weight)} at this step")
    return f"{_number(one.contribution)} for {one.rewarder} ({', '.join(filter(None, notes))})"


def _shortfall(part: Part, verdict: Verdict) -> str:
    read = part.read(verdict.score)
    return f"{_number(read)} is below the threshold of {_number(part.threshold)}" if 0 < read < part.threshold else ""


def _role(part: Part) -> str:
    return "gate " if part.gate else ""


def _listed(terms: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(terms[:-1]), terms[-1]]))


def _number(value: float) -> str:
    """Six digits: what is beyond is rounding."""
    return f"{value + 0.0:.6g}"
