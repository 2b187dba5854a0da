"""The promise of a place to run programs that nobody trusts. Backends keep it; callers rely on it alone.

The names are looked up when they are first used: what runs inside a sandbox imports `sandboxes.inside` from the same
folder, in an interpreter that has nothing but the standard library.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandboxes.errors import SandboxFault, SandboxLost, SandboxMisconfigured, SandboxUnavailable
    from sandboxes.types import Limits, Outcome, Program, Sandbox, SandboxResult, Submission

__all__ = [
    "Limits",
    "Outcome",
    "Program",
    "Sandbox",
    "SandboxFault",
    "SandboxLost",
    "SandboxMisconfigured",
    "SandboxResult",
    "SandboxUnavailable",
    "Submission",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    home = "errors" if name.startswith("Sandbox") and name not in ("Sandbox", "SandboxResult") else "types"
    return getattr(importlib.import_module(f"sandboxes.{home}"), name)
