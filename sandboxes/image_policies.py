"""Languages as an image has them: the same policies, with the image's tools and versions."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sandboxes.policy import LanguageTable, Policy, languages


@dataclass(frozen=True)
class ImagePolicy(Policy):
    """A language in an image. Nothing about it is asked of this machine."""

    said: str
    """The toolchain's version, as it says itself in there."""
    folders: tuple[str, ...]
    """Where its tools really lie."""
    origin: str
    """Digest of the image, and the runtime that it is run with."""

    @cached_property
    def version(self) -> str:
        """First line of what the toolchain says of itself."""
        return self.said

    @cached_property
    def digest(self) -> str:
        """Of everything that can change a result: the policy, the toolchain's version, and where they run."""
        return "sha256:" + hashlib.sha256(f"{super().digest} {self.origin}".encode()).hexdigest()

    @property
    def mounts(self) -> list[str]:
        """Absolute paths to show."""
        return [path for path in (*self.fill(self.table.mounts), *self.folders) if path]


def questions() -> dict[str, dict[str, Any]]:
    """What to ask of an image, for `sandboxes.inside.toolchains.survey`."""
    return {
        name: {"tools": table.tools, "roots": table.roots, "version": table.version.argv}
        for name, table in languages().items()
    }


def policies_of(survey: Mapping[str, Mapping[str, Any]], origin: str) -> dict[str, Policy]:
    """Every language as the image has it, from what it answered."""
    return {name: _policy(name, table, survey[name], origin) for name, table in languages().items()}


def _policy(name: str, table: LanguageTable, found: Mapping[str, Any], origin: str) -> ImagePolicy:
    missing = f"{name}: in the image, {found['missing']}" if found["missing"] else None
    return ImagePolicy(name, table, found["names"], missing, found["version"], tuple(found["folders"]), origin)
