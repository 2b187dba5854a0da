"""How rewarders are written, found and checked.

The `rewarder()` decorator only marks a function. A `Registry` object collects marked functions from entry points (group
`rewarders`) and from modules named in the configuration, and refuses what breaks the contract when it is loaded, naming
the distribution at fault. Nothing global changes at import, so every test can have a registry of its own.
"""

import importlib
import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from rewarders.digests import digest, digest_bytes
from rewarders.errors import InvalidTask, PluginError, boundary
from rewarders.reference_check import ReferenceCheck, as_rewarder
from rewarders.types import Verdict

GROUP = "rewarders"
NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
VERSION = re.compile(r"[0-9]+(\.[0-9]+)*[a-z0-9.+-]*")
ARGUMENTS = ("completion", "reference", "params")
ASYNC_ARGUMENTS = (*ARGUMENTS, "tools")
CHECK_ARGUMENTS = ("reference", "params")
CPU_BUDGET_S = 2.0
MAX_CPU_BUDGET_S = 3600.0
_UNECHOED = frozenset(
    [
        "missing", "string_type", "int_type", "float_type", "bool_type", "dict_type", "list_type", "tuple_type",
        "model_type", "model_attributes_type", "greater_than", "greater_than_equal", "less_than", "less_than_equal",
        "finite_number", "int_from_float", "literal_error", "enum", "too_short", "too_long", "string_too_short",
        "string_too_long", "string_pattern_mismatch",
    ]
)  # fmt: skip
"""Kinds of problems whose message holds nothing of the input."""

Scorer = Callable[..., Verdict | Awaitable[Verdict]]
S = TypeVar("S", bound=Callable[..., Any])


class NoParams(BaseModel):
    """A rewarder without parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Mark:
    """What `rewarder()` leaves on a function."""

    name: str
    version: str
    params: type[BaseModel] | None
    reference: type[BaseModel] | None
    cpu_budget_s: float | None
    preload: tuple[str, ...]
    check: ReferenceCheck | None
    opinion: Literal["judge", "model"] | None


def rewarder(
    name: str,
    *,
    version: str,
    params: type[BaseModel] | None = None,
    reference: type[BaseModel] | None = None,
    cpu_budget_s: float | None = None,
    preload: Sequence[str] = (),
    check: ReferenceCheck | None = None,
    opinion: Literal["judge", "model"] | None = None,
) -> Callable[[S], S]:
    """Mark a function as a rewarder.

    `def f(completion, reference, params) -> Verdict` is pure: it computes, in a process that can be killed.
    `async def f(completion, reference, params, tools) -> Verdict` waits: it reaches for the `tools` it is handed, and
    leaves anything heavy to them.

    Args:
        name: dotted, with the team first: `acme.quotes`.
        version: changes whenever a verdict could change.
        params: pydantic model of the settings a rubric may give; without one, `params` is an empty model.
        reference: pydantic model of the part of a task's reference this rewarder reads; without one it gets None.
        cpu_budget_s: CPU seconds for one completion, 2 if not given; spending more is a verdict of 0, `too_costly`.
            For plain functions alone: what an async one runs is bounded by the limits it gives its tools.
        preload: modules that worker processes import ahead of the first call; for plain functions alone.
        check: `check(reference, params)` says what is wrong with a reference that validates, as `TaskProblem`s. It is
            what `env-server check-tasks` asks; serving does not. It runs in a worker process, under the same budget.
        opinion: the score is what a model thinks: a rubric that pays it has to make its verifiers gates, so that it
            never raises what a check failed. That of a `judge` is paid only where the judge is calibrated for it.
    """
    mark = Mark(name, version, params, reference, cpu_budget_s, tuple(preload), check, opinion)

    def attach(function: S) -> S:
        function.__rewarder__ = mark  # type: ignore[attr-defined]
        return function

    return attach


@dataclass(frozen=True)
class RewarderSpec:
    """A registered rewarder: everything `env-server plugins show` prints, learnt without running it."""

    name: str
    version: str
    function: Scorer
    params: type[BaseModel]
    reference: type[BaseModel] | None
    cpu_budget_s: float | None
    """None where it is async."""
    preload: tuple[str, ...]
    distribution: str
    """Name and version of the distribution it came from, or the module it was named by."""
    code_digest: str
    """Of every Python file of the top-level package that holds the function, when it was loaded.

    Wider than the function itself on purpose: a changed helper changes verdicts too. Of `sandboxes` as well where it is
    async, since that is what its tools are made of.
    """
    check: ReferenceCheck | None = None
    """Says what is wrong with a reference that validates."""
    opinion: Literal["judge", "model"] | None = None
    """Whose opinion the score is, where it is one."""

    @cached_property
    def checker(self) -> "RewarderSpec | None":
        """Its reference check as a pure rewarder, under a name that no rewarder can have."""
        if self.check is None:
            return None
        budget_s = self.cpu_budget_s or CPU_BUDGET_S
        dressed = as_rewarder(self.check)
        return replace(self, name=f"{self.name} (check)", function=dressed, cpu_budget_s=budget_s, check=None)

    @property
    def is_async(self) -> bool:
        """Whether it is handed tools and awaited, where a plain function runs in a worker process."""
        return self.cpu_budget_s is None

    @cached_property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").splitlines()[0]

    def check_params(self, params: dict[str, JsonValue]) -> BaseModel:
        """Validate a rubric's parameters. Raises PluginError naming the field."""
        try:
            return self.params.model_validate(params)
        except ValidationError as error:
            raise PluginError(f"params of {self.name}: {first_problem(error)}") from error

    def read_reference(self, reference: JsonValue) -> BaseModel | None:
        """This rewarder's part of a task's reference. Raises InvalidTask naming the field."""
        if self.reference is None:
            return None
        with _validators_may_fail(self.name):
            return self.reference.model_validate(self.project(reference))

    @cached_property
    def reference_fields(self) -> frozenset[str]:
        """Names of the reference fields it reads."""
        return frozenset(self.reference.model_fields) if self.reference else frozenset()

    @property
    def reads_everything(self) -> bool:
        """Whether nobody knows which fields it reads, so that none is one too many."""
        return False

    def project(self, reference: JsonValue) -> JsonValue:
        """Several rewarders share one reference, so each sees only the fields it declares."""
        if not isinstance(reference, dict):
            return reference
        return {key: value for key, value in reference.items() if key in self.reference_fields}

    def describe(self) -> dict[str, JsonValue]:
        """The spec as JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "distribution": self.distribution,
            "summary": self.summary,
            "kind": "async" if self.is_async else "pure",
            "cpu_budget_s": self.cpu_budget_s,
            "code_digest": self.code_digest,
            "params": _schema(self.params),
            "reference": _schema(self.reference) if self.reference else None,
        }


class Registry:
    """The rewarders of one process, by name."""

    def __init__(self, specs: Iterable[RewarderSpec] = ()) -> None:
        self._specs: dict[str, RewarderSpec] = {}
        self._checkers: dict[str, RewarderSpec] = {}
        for spec in specs:
            self._take(spec)

    @classmethod
    def load(cls, distributions: Sequence[str] | None = None, modules: Sequence[str] = ()) -> "Registry":
        """Collect the rewarders of installed distributions and of the modules named.

        Args:
            distributions: load only these; None loads every distribution with the entry-point group `rewarders`.
            modules: importable modules that are not packaged (a team's own file while it is being written).

        Raises:
            PluginError: naming the distribution that cannot be loaded or breaks the contract.
        """
        registry = cls()
        for entry in _entry_points(distributions):
            assert entry.dist is not None, "entry points read from distributions know theirs"
            origin = f"{entry.dist.name} {entry.dist.version}"
            registry.add_module(_load(entry.load, f"entry point {entry.value!r} of {origin}"), origin)
        for name in modules:
            registry.add_module(_load(partial(importlib.import_module, name), f"module {name!r}"), name)
        return registry

    def add_module(self, module: ModuleType, distribution: str) -> None:
        """Register every marked function of a module. Raises PluginError when there is none."""
        marked = [value for value in vars(module).values() if hasattr(value, "__rewarder__")]
        if not marked:
            raise PluginError(
                f"{distribution}: module {module.__name__} holds no rewarder",
                hint="mark a function with @rewarder(...)",
            )
        for function in marked:
            self.add(function, distribution)

    def add(self, function: Scorer, distribution: str) -> RewarderSpec:
        """Check one marked function against the contract and register it. Raises PluginError."""
        mark: Mark = function.__rewarder__  # type: ignore[attr-defined]
        _check(function, mark, distribution)
        is_async = inspect.iscoroutinefunction(function)
        packages = (function.__module__, "sandboxes") if is_async else (function.__module__,)
        spec = RewarderSpec(
            mark.name, mark.version, function, mark.params or NoParams, mark.reference,
            None if is_async else mark.cpu_budget_s or CPU_BUDGET_S, mark.preload,
            distribution, code_digest(packages, distribution), mark.check, mark.opinion,
        )  # fmt: skip
        return self._take(spec)

    @property
    def fingerprint(self) -> str:
        """Digest of what is loaded, code included: equal in two processes that would give the same verdicts."""
        return digest([[spec.name, spec.version, spec.code_digest] for spec in self])

    def _take(self, spec: RewarderSpec) -> RewarderSpec:
        taken = self._specs.get(spec.name)
        if taken:
            raise PluginError(f"{spec.distribution}: the name {spec.name!r} is taken by {taken.distribution}")
        self._specs[spec.name] = spec
        if checker := spec.checker:
            self._checkers[checker.name] = checker
        return spec

    def get(self, name: str) -> RewarderSpec | None:
        """The rewarder of that name, or the `checker` of one, if it is installed."""
        return self._specs.get(name) or self._checkers.get(name)

    def __iter__(self) -> Iterator[RewarderSpec]:
        return iter(sorted(self._specs.values(), key=lambda spec: spec.name))

    def __len__(self) -> int:
        return len(self._specs)


@contextmanager
def _validators_may_fail(name: str) -> Iterator[None]:
    """A plug-in's own validator may raise anything; the task is then no worse than invalid."""
    with boundary(InvalidTask, f"the reference cannot be used: a validator of {name}"):
        try:
            yield
        except ValidationError as error:
            field, message = unechoed_problem(error)
            field = f"task.reference.{field.partition('.')[0]}".rstrip(".")  # deeper steps may be keys of the sender's
            raise InvalidTask(f"{name} cannot use the reference: it {message}", field=field) from error


def first_problem(error: ValidationError) -> str:
    """The first validation problem as `field: what is wrong`."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(str(step) for step in first['loc']) or 'value'}: {first['msg']}"


def unechoed_problem(error: ValidationError) -> tuple[str, str]:
    """Field and message of the first problem, with nothing in them that the sender chose.

    The name of an unknown field is the sender's, and so is what a plug-in's own validator may quote.
    """
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    path = [str(step) for step in first["loc"]]
    if first["type"] == "extra_forbidden":
        return ".".join(path[:-1]), "holds a field that is not known"
    if first["type"] not in _UNECHOED:
        return ".".join(path), "is not acceptable"
    return ".".join(path), first["msg"][:1].lower() + first["msg"][1:]


def _entry_points(distributions: Sequence[str] | None) -> list[metadata.EntryPoint]:
    entries = sorted(metadata.entry_points(group=GROUP), key=lambda e: (e.dist.name if e.dist else "", e.name))
    if distributions is None:
        return entries
    missing = set(distributions) - {entry.dist.name for entry in entries if entry.dist}
    if missing:
        raise PluginError(
            f"no installed distribution named {sorted(missing)[0]!r} offers rewarders",
            hint="install it, or take it out of [plugins] load",
        )
    return [entry for entry in entries if entry.dist and entry.dist.name in distributions]


def _load(load: Callable[[], Any], what: str) -> ModuleType:
    with boundary(PluginError, f"importing {what}", quote=True):
        module = load()
    if not isinstance(module, ModuleType):
        raise PluginError(f"{what} names a {type(module).__name__}; it has to name a module")
    return module


def _check(function: Scorer, mark: Mark, distribution: str) -> None:
    """The contract, one sentence a clause. Raises PluginError for the first clause that is broken."""
    where = f"{distribution}: {function.__module__}.{function.__qualname__}"
    if not NAME.fullmatch(mark.name):
        raise PluginError(f"{where}: the name {mark.name!r} is not lower-case words joined by dots, as in acme.quotes")
    if not VERSION.fullmatch(mark.version):
        raise PluginError(f"{where}: the version {mark.version!r} does not start with a number, as in 1.0")
    _check_arguments(function, mark, where)
    if function.__annotations__.get("return") not in (Verdict, "Verdict"):
        raise PluginError(f"{where}: is not annotated to return a Verdict")
    if not (function.__doc__ or "").strip():
        raise PluginError(f"{where}: has no docstring; its first line is what users are shown")
    if mark.cpu_budget_s is not None and not 0 < mark.cpu_budget_s <= MAX_CPU_BUDGET_S:  # also refuses NaN
        raise PluginError(f"{where}: cpu_budget_s is {mark.cpu_budget_s}; it has to be over 0 and at most 3600")
    if mark.check and tuple(inspect.signature(mark.check).parameters) != CHECK_ARGUMENTS:
        raise PluginError(f"{where}: its check takes other arguments than ({', '.join(CHECK_ARGUMENTS)})")


def _check_arguments(function: Scorer, mark: Mark, where: str) -> None:
    """What a plain and an async function take, and how each is told from the other."""
    given = tuple(inspect.signature(function).parameters)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise PluginError(f"{where}: yields; a rewarder returns one Verdict")
    if not inspect.iscoroutinefunction(function):
        hint = "only `async def` is handed tools" if given == ASYNC_ARGUMENTS else ""
        if given != ARGUMENTS:
            raise PluginError(f"{where}: takes other arguments than ({', '.join(ARGUMENTS)})", hint=hint)
        return
    if given != ASYNC_ARGUMENTS:
        raise PluginError(
            f"{where}: is async and takes other arguments than ({', '.join(ASYNC_ARGUMENTS)})",
            hint="what only computes is a plain function; it runs in a worker process",
        )
    if mark.cpu_budget_s is not None or mark.preload:
        raise PluginError(
            f"{where}: is async, so cpu_budget_s and preload mean nothing: it runs in no worker process",
            hint="bound what it runs by the limits it gives its tools",
        )


def code_digest(modules: Sequence[str], distribution: str) -> str:
    """Of every Python file of the top-level packages that hold the modules. Raises PluginError."""
    try:
        return digest([entry for module in modules for entry in _hashed_files(module)])
    except OSError as error:
        raise PluginError(f"{distribution}: the code of {modules[0]} cannot be read: {error}") from error


def _hashed_files(module: str) -> list[list[str]]:
    top = importlib.import_module(module.partition(".")[0])
    folders = [Path(folder) for folder in getattr(top, "__path__", ())]  # several for a namespace package
    files = [(path, str(path.relative_to(folder))) for folder in folders for path in sorted(folder.rglob("*.py"))]
    if not folders and top.__file__:
        files = [(Path(top.__file__), Path(top.__file__).name)]
    return [[name, digest_bytes(path.read_bytes())] for path, name in files]


def _schema(model: type[BaseModel]) -> JsonValue:
    return TypeAdapter(model).json_schema()
