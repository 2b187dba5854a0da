"""What a step saw: means over the tokens that were learnt from."""

from dataclasses import dataclass, field

from torch import Tensor

from trainer.distributed.ranks import gathered


@dataclass(slots=True)
class Tally:
    """Sums and counts by name; `descents` are optimiser steps by whose they were."""

    sums: dict[str, tuple[float, int]] = field(default_factory=dict)
    descents: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)
    weights: dict[str, tuple[float, float, int]] = field(default_factory=dict)

    def add(self, name: str, values: Tensor) -> None:
        """Count these towards the mean."""
        total, count = self.total(name)
        self.sums[name] = (total + values.double().sum().item(), count + values.numel())

    def largest_of(self, name: str, values: Tensor) -> None:
        """Note the largest."""
        if values.numel():
            self.largest[name] = max(self.largest.get(name, 0.0), values.max().item())

    def weigh(self, name: str, values: Tensor) -> None:
        """Count these weights towards an effective sample size."""
        total, squares, count = self.weights.get(name, (0.0, 0.0, 0))
        wide = values.double()
        self.weights[name] = (total + wide.sum().item(), squares + wide.square().sum().item(), count + len(values))

    def descended(self, whose: str, loss: float, norm: float) -> None:
        """Note an optimiser step."""
        self.descents.setdefault(whose, []).append((loss, norm))

    def total(self, name: str) -> tuple[float, int]:
        """Sum and count so far."""
        return self.sums.get(name, (0.0, 0))

    def mean(self, name: str) -> float:
        """Mean so far; 0 of nothing."""
        total, count = self.total(name)
        return total / max(1, count)

    def take(self, other: "Tally") -> None:
        """Count what another has seen as well."""
        for name, (total, count) in other.sums.items():
            before, counted = self.total(name)
            self.sums[name] = (before + total, counted + count)
        for name, (total, squares, count) in other.weights.items():
            old, old_squares, old_count = self.weights.get(name, (0.0, 0.0, 0))
            self.weights[name] = (old + total, old_squares + squares, old_count + count)
        for name, value in other.largest.items():
            self.largest[name] = max(self.largest.get(name, 0.0), value)
        for whose, steps in other.descents.items():
            self.descents.setdefault(whose, []).extend(steps)

    def summary(self) -> dict[str, float]:
        """Means over optimiser steps and learnt tokens; `mismatch_*` compare sampler and trainer in nats."""
        policy, critic = self.descents.get("policy", []), self.descents.get("critic", [])
        found = {"stepped": float(len(policy))}
        if policy:
            found |= {"loss": _mean([loss for loss, _ in policy]), "grad_norm": _mean([norm for _, norm in policy])}
        if critic:
            found |= {
                "value_loss": _mean([loss for loss, _ in critic]),
                "value_grad_norm": _mean([norm for _, norm in critic]),
            }
        means = {name: self.mean(name) for name in self.sums}
        effective = {name: effective_share(*known) for name, known in self.weights.items()}
        return found | means | effective | self.largest


def of_all_ranks(seen: Tally) -> Tally:
    """What all ranks have seen together, each of its share; the same on each of them."""
    whole = Tally()
    for each in gathered(seen):
        whole.take(each)
    return whole


def effective_share(total: float, squares: float, count: int) -> float:
    """Effective sample size over the number of weights: `(sum w)^2 / (n sum w^2)` (Kish 1965); 0 without any weight."""
    return total * total / (count * squares) if squares > 0 else 0.0


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
