"""`env-server sandbox doctor`: may this backend be used on this machine, and what would make it better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from env_server.progress import progress_bar
from env_server.sandbox_keeper import Backend
from sandboxes.conformance import REQUIREMENTS, Check, conformance
from sandboxes.conformance.languages import SAMPLES
from sandboxes.errors import SandboxFault
from sandboxes.layers import Layer
from sandboxes.policy import Policy


@runtime_checkable
class Layered(Protocol):
    """A backend that runs programs on this machine, and so knows its layers."""

    async def layers(self) -> list[Layer]:
        """Which hold, and what to do about those that do not. Raises SandboxFault."""
        ...


@runtime_checkable
class Multilingual(Protocol):
    """A backend that knows its languages, whether they can run here or not."""

    @property
    def policies(self) -> Mapping[str, Policy]:
        """By name."""
        ...


@dataclass(frozen=True)
class Language:
    """A language, and the toolchain that was found for it."""

    name: str
    version: str
    missing: str | None


@dataclass
class Diagnosis:
    """What the doctor found."""

    backend: str
    trouble: str | None = None
    """Why it does not start, if it does not."""
    layers: Sequence[Layer] = ()
    languages: Sequence[Language] = ()
    conformance: list[Check] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Whether it keeps the promise of a sandbox here."""
        return self.trouble is None and all(check.ok for check in self.conformance)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "backend": self.backend,
            "usable": self.usable,
            "trouble": self.trouble,
            "layers": [vars(layer) for layer in self.layers],
            "languages": [vars(language) for language in self.languages],
            "conformance": [vars(check) for check in self.conformance],
        }


async def examine(backend: Backend) -> Diagnosis:
    """Start a backend, look at it, put it through the conformance suite, and close it."""
    found = Diagnosis(backend.backend)
    try:
        if isinstance(backend, Layered):
            found.layers = await backend.layers()
        await backend.start()
        lacking = [layer.name for layer in found.layers if not layer.holds]
        with progress_bar("checking", len(REQUIREMENTS) + len(SAMPLES)) as advance:
            async for check in conformance(backend, lacking=lacking):
                found.conformance.append(check)
                advance(1)
    except SandboxFault as fault:
        found.trouble = str(fault)
    finally:
        found.languages = _languages(backend)
        await backend.close()
    return found


def _languages(backend: Backend) -> list[Language]:
    policies = backend.policies if isinstance(backend, Multilingual) else {}
    return [_language(name, policy) for name, policy in policies.items()]


def _language(name: str, policy: Policy) -> Language:
    try:
        return Language(name, policy.version, policy.missing)
    except SandboxFault as broken:  # it is there, and does not say which it is
        return Language(name, "", str(broken))
