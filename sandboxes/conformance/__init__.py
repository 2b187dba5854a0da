"""What every backend has to do, as programs to run and results to see. It takes some seconds.

Each requirement is an async function that takes a sandbox and raises `Unmet` when it does not keep its promise; its
name is what is promised.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from sandboxes.conformance import endings, folders, limits, linked, separation, streams
from sandboxes.conformance.expecting import Unmet
from sandboxes.conformance.languages import SAMPLES, speaks
from sandboxes.errors import SandboxFault
from sandboxes.types import Sandbox

__all__ = ["REQUIREMENTS", "Check", "Requirement", "conformance"]

Requirement = Callable[[Sandbox], Awaitable[None]]

REQUIREMENTS: tuple[Requirement, ...] = tuple(
    requirement
    for module in (endings, streams, folders, limits, separation, linked)
    for requirement in module.REQUIREMENTS
)
NEEDS = {
    "several_processes_share_one_memory_limit": "control groups",
    "many_files_share_one_disk_limit": "mount namespace",
    "the_number_of_files_is_limited": "mount namespace",
    "nothing_outside_tmp_can_be_written": "read-only root",
    "the_number_of_processes_is_limited": "user namespace",
    "threads_count_as_processes": "user namespace",
}
"""What a requirement cannot be met without, by the name of the layer."""


@dataclass(frozen=True)
class Check:
    """Whether one requirement is met."""

    name: str
    ok: bool
    detail: str = ""


async def conformance(
    sandbox: Sandbox, languages: Sequence[str] = tuple(SAMPLES), lacking: Collection[str] = (),
    requirements: Sequence[Requirement] = REQUIREMENTS,
) -> AsyncIterator[Check]:  # fmt: skip
    """Check everything, one requirement after the other.

    Args:
        sandbox: the backend, started.
        languages: which to try, by default every language with a sample. A missing toolchain has to be said, not met.
        lacking: names of layers that do not hold on this machine; what needs them is said to be left out.
        requirements: what to check beside the languages.
    """
    for requirement in requirements:
        name = requirement.__name__
        if NEEDS.get(name) in lacking:
            yield Check(_words(name), True, f"left out: there is no layer '{NEEDS[name]}' here")
        else:
            yield await _check(_words(name), requirement(sandbox))
    for language in languages:
        yield await _check(f"programs in {language} run", speaks(sandbox, language))


async def _check(name: str, work: Awaitable[str | None]) -> Check:
    try:
        return Check(name, True, await work or "")
    except Unmet as unmet:
        return Check(name, False, str(unmet))
    except SandboxFault as fault:
        return Check(name, False, f"{type(fault).__name__}: {fault}")


def _words(name: str) -> str:
    return name.replace("_", " ")
