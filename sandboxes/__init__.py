"""The promise of a place to run programs that nobody trusts. Backends keep it; callers rely on it alone."""

from sandboxes.errors import SandboxFault, SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.types import Limits, Outcome, Program, Sandbox, SandboxResult

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
]
