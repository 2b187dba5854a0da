"""Rubrics bound to the rewarders that are installed, so that a mistake shows at start-up and not in a reward."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, JsonValue

from env_server.build import SERVICE_BUILD
from rewarders.digests import digest_bytes, ordered_json
from rewarders.errors import ConfigError, InvalidTask, PluginError, UnknownRubric
from rewarders.registry import Registry, RewarderSpec
from rewarders.rubric import Part, Rubric
from rewarders.rubric_files import built_in_rubrics


@dataclass(frozen=True)
class BoundRubric:
    """A rubric and, part by part, the rewarder it names."""

    rubric: Rubric
    specs: tuple[RewarderSpec, ...]
    memory_bytes: int | None = None
    """What a worker may use; None where no worker is going to run."""

    @property
    def parts(self) -> Iterator[tuple[Part, RewarderSpec]]:
        """Each part with its rewarder."""
        return zip(self.rubric.parts, self.specs, strict=True)

    @cached_property
    def instrument(self) -> list[dict[str, Any]]:
        """What, beside task and completion, could change a reward: part by part, for every record."""
        return [
            {
                "rewarder": spec.name,
                "version": spec.version,
                "distribution": spec.distribution,
                "code_digest": spec.code_digest,
                "params": part.params,
                "threshold": part.threshold,
                **({} if spec.is_async or self.memory_bytes is None else {"memory_bytes": self.memory_bytes}),
            }
            for part, spec in self.parts
        ]

    @cached_property
    def part_digests(self) -> tuple[str, ...]:
        """Of what each part's rewarder is, and how it is set."""
        return tuple(digest_bytes(ordered_json(part)) for part in self.instrument)

    @cached_property
    def spelled_instrument(self) -> bytes:
        """The same with the rubric and the service's build, as the ledger keeps it once for all records."""
        whole = {"rubric_digest": self.rubric.digest, "parts": self.instrument, "service": SERVICE_BUILD}
        return ordered_json(whole)

    def read_reference(self, reference: JsonValue) -> tuple[BaseModel | None, ...]:
        """What each part's rewarder reads of a task's reference.

        Raises:
            InvalidTask: a rewarder cannot use the reference, or none of them reads one of its fields.
        """
        read = tuple(spec.read_reference(reference) for spec in self.specs)
        if not isinstance(reference, dict) or any(spec.reads_everything for spec in self.specs):
            return read
        known = frozenset[str]().union(*(spec.reference_fields for spec in self.specs))
        if any(key not in known for key in reference):
            raise InvalidTask(
                f"the reference has a field that no rewarder of {self.rubric.name} reads",
                field="task.reference",
                hint=f"known fields: {', '.join(sorted(known)) or 'none'}",
            )
        return read


class RubricBook:
    """The rubrics of a service, by name."""

    def __init__(self, configured: Iterable[Rubric], registry: Registry, *, memory_bytes: int | None = None) -> None:
        """Bind the configured rubrics, and the built-in ones whose rewarders are loaded.

        Args:
            configured: beside the built-in ones.
            registry: of the rewarders.
            memory_bytes: what a worker may use, for the record: a completion that needs more scores 0.

        Raises:
            ConfigError: a rubric names a rewarder that is not loaded, gives it wrong params, or takes a built-in name.
        """
        self.memory_bytes = memory_bytes
        built_in = built_in_rubrics()
        offered = {r.name: r for r in built_in.values() if all(registry.get(part.rewarder) for part in r.parts)}
        for rubric in configured:
            if rubric.name in built_in and rubric.digest != built_in[rubric.name].digest:
                raise ConfigError(
                    f"rubric {rubric.name!r} is built in with other parts",
                    hint="a rubric that differs needs another name or version",
                )
            offered[rubric.name] = rubric
        self._bound = {name: _bind(rubric, registry, memory_bytes) for name, rubric in offered.items()}

    def get(self, name: str) -> BoundRubric:
        """The rubric of that name. Raises UnknownRubric."""
        bound = self._bound.get(name)
        if bound is None:
            known = ", ".join(sorted(self._bound))
            raise UnknownRubric("the service has no such rubric", field="task.rubric", hint=f"it has {known}")
        return bound

    def __iter__(self) -> Iterator[str]:
        return iter(self._bound)

    @property
    def rubrics(self) -> list[Rubric]:
        """What each name stands for."""
        return [bound.rubric for bound in self._bound.values()]

    @property
    def has_async_parts(self) -> bool:
        """Whether a task may name a rubric with an async rewarder, so that a sandbox has to be ready for it."""
        return any(spec.is_async for bound in self._bound.values() for spec in bound.specs)

    def describe(self) -> list[dict[str, Any]]:
        """The rubrics as JSON."""
        return [
            {**bound.rubric.model_dump(mode="json"), "digest": bound.rubric.digest} for bound in self._bound.values()
        ]


def _bind(rubric: Rubric, registry: Registry, memory_bytes: int | None) -> BoundRubric:
    specs = tuple(_find(rubric, part, registry) for part in rubric.parts)
    for part, spec in zip(rubric.parts, specs, strict=True):
        try:
            spec.check_params(part.params)
        except PluginError as error:
            raise ConfigError(f"rubric {rubric.name}: {error}") from error
    _check_that_verifiers_dominate(rubric, specs)
    return BoundRubric(rubric, specs, memory_bytes)


def _check_that_verifiers_dominate(rubric: Rubric, specs: tuple[RewarderSpec, ...]) -> None:
    """An opinion may lower what a check passed, never raise what it failed. Raises ConfigError."""
    parts = list(zip(rubric.parts, specs, strict=True))
    if any(spec.opinion and part.pays for part, spec in parts):
        for part, spec in parts:
            if not spec.opinion and part.pays and not part.gate:
                raise ConfigError(
                    f"rubric {rubric.name}: {part.rewarder} is paid beside an opinion and is no gate, so a judge could "
                    "pay for what it failed",
                    hint="give it gate = true beside its weight, or weight 0, or turn it into a penalty",
                )
    for part, spec in parts:
        if spec.opinion and part.gate and part.settles_at > rubric.lowest:
            raise ConfigError(
                f"rubric {rubric.name}: {part.rewarder} is an opinion, and its closed gate would lift a reward that "
                f"penalties can bring down to {rubric.lowest:g} up to {part.settles_at:g}",
                hint=f"give it settles_at = {rubric.lowest:g} or less",
            )


def _find(rubric: Rubric, part: Part, registry: Registry) -> RewarderSpec:
    spec = registry.get(part.rewarder)
    if spec is None:
        installed = ", ".join(known.name for known in registry) or "none"
        raise ConfigError(
            f"rubric {rubric.name}: no rewarder {part.rewarder!r} is loaded",
            hint=f"loaded rewarders: {installed}",
        )
    return spec
