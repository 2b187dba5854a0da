"""Languages as data: `policies/*.toml`, completed with what this machine has."""

import hashlib
import json
import os
import sys
import sysconfig
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sandboxes.errors import SandboxMisconfigured
from sandboxes.inside import kernel, toolchains
from sandboxes.types import MIB, Limits


class Section(BaseModel):
    """Base of the tables: closed, frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class CommandTable(Section):
    """`[run]` and `[version]`: a command, with `{names}` of tools, roots and limits."""

    argv: tuple[str, ...]


class CompileTable(CommandTable):
    """`[compile]`: how a program is made, and what that may cost."""

    artefacts: tuple[str, ...]
    """Files and folders that the run needs; kept by content."""
    wall_s: float = 30.0
    cpu_s: float = 20.0
    memory_bytes: int = 1024 * MIB
    disk_bytes: int = 256 * MIB
    pids: int = 128

    @property
    def limits(self) -> Limits:
        """As limits of one run."""
        return Limits(
            wall_s=self.wall_s, cpu_s=self.cpu_s, memory_bytes=self.memory_bytes, disk_bytes=self.disk_bytes,
            pids=self.pids, output_bytes=64 * MIB, open_files=1024,
        )  # fmt: skip


class LanguageTable(Section):
    """One file of `policies/`."""

    description: str
    main: str
    """What the source is called in the work folder."""
    fences: tuple[str, ...] = ()
    """Names of the language on a fenced block."""
    warm: bool = False
    """Run in the fork server's own interpreter instead of starting a program."""
    packages: bool = False
    """Show the server's installed packages to the interpreter. For trusted programs only."""
    preload: tuple[str, ...] = ()
    """Modules that a warm interpreter has imported before its first run."""
    mounts: tuple[str, ...]
    """What of the machine can be read, at the same place."""
    proc: bool = False
    """A /proc of the sandbox's own processes."""
    env: dict[str, str] = Field(default_factory=dict)
    address_space: float = 0.0
    """Limit the address space of each process too, to so many times the memory; 0 for runtimes that reserve far more
    than they use."""
    least_memory_bytes: int = 0
    """What the runtime itself needs before a program gets anything: limits are raised to it."""
    least_pids: int = 1
    out_of_memory_exits: tuple[int, ...] = ()
    """Exit codes with which the runtime says that it found no memory."""
    tools: dict[str, str]
    """Programs that have to be installed, by the name that commands call them."""
    roots: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Folders that a tool tells us."""
    version: CommandTable
    compile: CompileTable | None = None
    run: CommandTable | None = None


@dataclass(frozen=True)
class Policy:
    """A language on this machine: every `{name}` known."""

    name: str
    table: LanguageTable
    names: Mapping[str, str]
    missing: str | None
    """Why programs cannot run here; None if they can."""

    @cached_property
    def version(self) -> str:
        """First line of what the toolchain says of itself."""
        if self.missing:
            return ""
        try:
            return toolchains.said_by(self.fill(self.table.version.argv)).partition("\n")[0].strip()
        except toolchains.Missing as missing:
            raise SandboxMisconfigured(f"{self.name}: {missing}") from missing

    @cached_property
    def digest(self) -> str:
        """Of everything here that can change a result."""
        content = [self.name, self.table.model_dump(mode="json"), self.version, syscalls()]
        return "sha256:" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def mounts(self) -> list[str]:
        """Absolute paths to show."""
        tools = [os.path.dirname(os.path.realpath(self.names[name])) for name in self.table.tools if name in self.names]
        return [path for path in (*self.fill(self.table.mounts), *tools) if path]

    def fill(self, words: tuple[str, ...], **limits: int) -> list[str]:
        """Put names in."""
        return [word.format(**self.names, **limits) for word in words]

    def run_argv(self, limits: Limits) -> list[str] | None:
        """The command of a run; None for a warm interpreter."""
        if self.table.run is None:
            return None
        memory = max(limits.memory_bytes, self.table.least_memory_bytes)
        return self.fill(self.table.run.argv, memory_mib=memory // MIB, heap_mib=memory // MIB * 3 // 4)

    def raised(self, limits: Limits) -> Limits:
        """The limits with what the runtime itself needs."""
        table = self.table
        return limits.model_copy(
            update={
                "memory_bytes": max(limits.memory_bytes, table.least_memory_bytes),
                "pids": max(limits.pids, table.least_pids),
            }
        )

    def for_zygote(self, tier: str, uid: int, shape: dict[str, int]) -> dict[str, Any]:
        """What the fork server is told; its first spares have the shape."""
        calls = syscalls()
        return {
            "name": self.name,
            "tier": tier,
            "uid": uid,
            "shape": shape,
            "mounts": self.mounts,
            "proc": self.table.proc,
            "preload": list(self.table.preload),
            "paths": [self.names["packages"]] if self.table.packages else [],
            "syscalls": sorted(value for value in calls.values() if isinstance(value, int)),
            "filtered": calls["filtered"],
            "env": self.table.env,
            # One hash seed for all: a program that depends on the order of a set does the same thing again. Few
            # allocation arenas: each reserves 64 MiB of the address space that a program may have.
            "interpreter_env": {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "MALLOC_ARENA_MAX": "2"},
        }


def syscalls() -> dict[str, Any]:
    """The allowed system calls of this machine's architecture."""
    text = (resources.files("sandboxes") / "policies" / "syscalls.toml").read_text("utf-8")
    by_machine: dict[str, dict[str, Any]] = tomllib.loads(text)
    if kernel.MACHINE not in by_machine:
        raise SandboxMisconfigured(f"{kernel.MACHINE} is not an architecture the sandbox knows: x86_64 and aarch64 are")
    return by_machine[kernel.MACHINE]


def languages() -> dict[str, LanguageTable]:
    """The languages that ship, by name."""
    folder = resources.files("sandboxes") / "policies"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return {
        file.name.removesuffix(".toml"): LanguageTable.model_validate(tomllib.loads(file.read_text("utf-8")))
        for file in files
        if file.name != "syscalls.toml"
    }


def find_policies(python: str | None = None) -> dict[str, Policy]:
    """Every language as this machine offers it.

    Args:
        python: interpreter that Python programs run in; by default the one that runs this, without its packages.
    """
    return {name: _find(name, table, python) for name, table in languages().items()}


def base_python() -> str:
    """The interpreter that runs this, without the virtual environment around it."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def _find(name: str, table: LanguageTable, python: str | None) -> Policy:
    interpreter = os.path.realpath(base_python() if table.packages or not python else python)
    names = {
        "python": interpreter,
        "python_root": str(Path(interpreter).parents[1]),
        "packages": sysconfig.get_paths()["purelib"],
    }
    try:
        found = toolchains.find(table.tools, table.roots, names)
    except toolchains.Missing as missing:
        return Policy(name, table, names, f"{name}: {missing}")
    return Policy(name, table, found, None)


def chosen(policies: Mapping[str, Policy], language: str) -> Policy:
    """The policy of a language that runs here. Raises SandboxMisconfigured."""
    policy = policies.get(language)
    if policy is None:
        known = ", ".join(sorted(policies))
        raise SandboxMisconfigured(f"no policy for the language {language[:40]!r}; there are {known}")
    if policy.missing:
        raise SandboxMisconfigured(policy.missing)
    return policy


def offered(policies: Mapping[str, Policy]) -> Iterator[str]:
    """Names of the languages that run here."""
    return (name for name, policy in policies.items() if not policy.missing)
