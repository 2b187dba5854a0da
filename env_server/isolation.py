"""`[plugins.NAME] isolation = "venv"`: rewarders with a Python, packages and processes of their own.

Their packages never meet those of the service, or of another team. The service knows them by what their environment
says of them; jobs go to a worker pool whose nursery is that environment's Python. A plug-in that cannot be started is
in nobody's way: what names its rewarders is answered with a fault that says why, and everything else is scored.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from io import FileIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from pydantic import BaseModel, JsonValue

from env_server.config import IsolatedPluginConfig, PluginsConfig, ServiceConfig
from env_server.nursery import environment_of_others
from env_server.plugin_description import core_digest
from env_server.worker_process import CHECK_SUFFIX
from rewarders.errors import PluginError
from rewarders.registry import NoParams, Registry, RewarderSpec
from rewarders.types import Verdict

_START_S = 60.0
_LEAVING_S = 5.0
_MOST_BYTES = 4 * 1024**2
_SHOWN_CHARS = 300
_PR_SET_DUMPABLE = 4


@dataclass(frozen=True)
class IsolatedSpec(RewarderSpec):
    """A rewarder that this process cannot import: everything about it was said by its own environment."""

    plugin: "IsolatedPlugin | None" = None
    described: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def checker(self) -> RewarderSpec | None:
        """A name for the pool's workers, who have it; they are the ones who can read a reference at all."""
        return _spec(self.plugin, self.described, f"{self.name}{CHECK_SUFFIX}")

    @property
    def summary(self) -> str:
        """As it said."""
        return str(self.described["spec"]["summary"])

    @cached_property
    def reference_fields(self) -> frozenset[str]:
        """As it said."""
        return frozenset(self.described["reference_fields"])

    @property
    def reads_everything(self) -> bool:
        """Until it can be asked."""
        return self.is_stand_in

    @property
    def is_stand_in(self) -> bool:
        """Whether only a rubric says that it exists."""
        return self.plugin is None or not self.plugin.specs

    def check_params(self, params: dict[str, JsonValue]) -> BaseModel:
        """Ask its environment. Raises PluginError naming the field."""
        assert self.plugin is not None
        if self.plugin.trouble is None:
            self.plugin.ask({"rewarder": self.name, "params": params})
        return NoParams()

    def read_reference(self, reference: JsonValue) -> None:
        """Its workers do, and what they refuse is answered as `InvalidTask` like anywhere else."""

    def describe(self) -> dict[str, JsonValue]:
        """As it said, and where it runs."""
        assert self.plugin is not None
        return {**self.described["spec"], "isolation": self.plugin.name}


@dataclass
class IsolatedPlugin:
    """One virtual environment, and what became of it."""

    name: str
    config: IsolatedPluginConfig
    fingerprint: str = ""
    specs: tuple[RewarderSpec, ...] = ()
    trouble: str | None = None
    """Why it cannot be used, if it cannot."""

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.config.venv / "bin" / "python"

    @property
    def as_plugins(self) -> PluginsConfig:
        """What its nursery loads."""
        return PluginsConfig(load=self.config.load, modules=self.config.modules)

    def describe(self) -> None:
        """Learn what it offers, or why it offers nothing. Never raises."""
        try:
            said = self.ask({})
            with _as_promised(self.name):
                self._take(said)
        except PluginError as error:
            self.trouble = str(error)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Ask the environment. Raises PluginError, with everything that can go wrong there as a sentence."""
        question = {"load": self.config.load, "modules": self.config.modules, **question}
        said = self._run(json.dumps(question).encode())
        try:
            answer = json.loads(said)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise PluginError(f"[plugins.{self.name}]: {self.python} did not say what it offers")
        if "error" in answer:
            raise PluginError(f"[plugins.{self.name}]: {answer['error']}"[:1000])
        return answer

    def stand_in(self, rewarder: str) -> RewarderSpec:
        """What a rubric that names one of its rewarders is bound to while it is in trouble."""
        known = {"name": rewarder, "version": "0", "distribution": f"[plugins.{self.name}]", "summary": self.trouble}
        unknown = {"code_digest": "", "cpu_budget_s": None, "params": None, "reference": None}
        return _spec(self, {"spec": {**known, **unknown}, "reference_fields": []}, rewarder)

    def _take(self, said: dict[str, Any]) -> None:
        if said["core"] != core_digest():
            raise PluginError(
                f"[plugins.{self.name}]: the assay in {self.config.venv} is not the one that serves; install the same"
            )
        for one in said["rewarders"]:
            name = one["spec"]["name"]
            if not name.startswith(f"{self.name}."):
                raise PluginError(f"[plugins.{self.name}]: it offers {name!r}, which does not begin with {self.name!r}")
            if one["spec"]["kind"] != "pure":
                raise PluginError(f"[plugins.{self.name}]: {name} is async; only what computes can be isolated")
        if not said["rewarders"]:
            raise PluginError(f"[plugins.{self.name}]: no distribution in {self.config.venv} offers rewarders")
        self.specs = tuple(_spec(self, one, one["spec"]["name"]) for one in said["rewarders"])
        self.fingerprint = said["fingerprint"]

    def _run(self, question: bytes) -> bytes:
        """Whatever is started there ends with the question."""
        ours, theirs = os.pipe()
        command = [str(self.python), "-I", "-m", "env_server.plugin_description", str(theirs)]
        with TemporaryFile() as asked, TemporaryFile() as errors, os.fdopen(ours, "rb", buffering=0) as answers:
            asked.write(question)
            asked.seek(0)
            try:
                process = subprocess.Popen(
                    command,
                    stdin=asked,
                    stdout=errors,
                    stderr=errors,
                    pass_fds=[theirs],
                    cwd="/",
                    env=environment_of_others(),
                    start_new_session=True,
                )
            except OSError as error:
                raise PluginError(f"[plugins.{self.name}]: cannot run {self.python}: {error.strerror}") from error
            finally:
                os.close(theirs)
            try:
                said = self._read(answers)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LEAVING_S)
            finally:
                _end(process)
            errors.seek(max(0, errors.tell() - _SHOWN_CHARS))
            last = errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        if process.returncode:
            raise PluginError(f"[plugins.{self.name}]: {self.python} left with {process.returncode}: {last}")
        return said

    def _read(self, answers: FileIO) -> bytes:
        """What is written until the other end is closed. Raises PluginError where that is too late, or too much."""
        said, until = b"", time.monotonic() + _START_S
        while select.select([answers], [], [], max(0.0, until - time.monotonic()))[0]:
            piece = answers.read(65536)
            said += piece
            if not piece:
                return said
            if len(said) > _MOST_BYTES:
                raise PluginError(f"[plugins.{self.name}]: {self.python} says more than {_MOST_BYTES:,} bytes")
        raise PluginError(f"[plugins.{self.name}]: {self.python} was not ready within {_START_S:g} s")


@dataclass(frozen=True)
class LoadedPlugins:
    """Every rewarder of a configuration, wherever it runs."""

    registry: Registry
    fingerprint: str
    """Of those that run in the service's own Python."""
    isolated: tuple[IsolatedPlugin, ...]

    @property
    def usable(self) -> Iterator[RewarderSpec]:
        """Those that are not merely stood in for."""
        return (spec for spec in self.registry if not (isinstance(spec, IsolatedSpec) and spec.is_stand_in))

    @property
    def troubles(self) -> Iterator[str]:
        """Why a plug-in cannot be used, for each that cannot."""
        return (plugin.trouble for plugin in self.isolated if plugin.trouble)


def load_plugins(config: ServiceConfig) -> LoadedPlugins:
    """Load the service's own plug-ins, and ask the isolated ones, at once, what they offer.

    Raises:
        PluginError: one of the service's own does not load. Isolated ones keep their trouble to themselves.
    """
    own = Registry.load(config.plugins.load, config.plugins.modules)
    isolated = tuple(IsolatedPlugin(name, one) for name, one in config.plugins.isolated.items())
    if isolated:
        with ThreadPoolExecutor(len(isolated)) as asking:
            list(asking.map(IsolatedPlugin.describe, isolated))
    specs = [spec for plugin in isolated for spec in plugin.specs or _stand_ins(plugin, config)]
    return LoadedPlugins(Registry([*own, *specs]) if specs else own, own.fingerprint, isolated)


def keep_others_out() -> None:
    """Close this process to others of the same user: its environment, memory and debugger (PR_SET_DUMPABLE, prctl(2)).

    What is started from here is not closed by it; root, and whoever may trace any process, still come in.
    """
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _stand_ins(plugin: IsolatedPlugin, config: ServiceConfig) -> Sequence[RewarderSpec]:
    parts = (part.rewarder for rubric in config.rubrics.values() for part in rubric.parts)
    return [plugin.stand_in(name) for name in dict.fromkeys(parts) if name.startswith(f"{plugin.name}.")]


def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _spec(plugin: IsolatedPlugin | None, described: dict[str, Any], name: str) -> RewarderSpec:
    said = described["spec"]
    return IsolatedSpec(
        name=name, version=said["version"], function=_elsewhere, params=NoParams, reference=None,
        cpu_budget_s=said["cpu_budget_s"] or 1.0, preload=(), distribution=said["distribution"],
        code_digest=said["code_digest"], plugin=plugin, described=described,
    )  # fmt: skip


def _elsewhere(completion: Any, reference: Any, params: Any) -> Verdict:
    raise AssertionError("an isolated rewarder runs in its own processes")


@contextmanager
def _as_promised(name: str) -> Iterator[None]:
    """An environment can say anything."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise PluginError(f"[plugins.{name}]: its description is none: {error!r}"[:_SHOWN_CHARS]) from error
