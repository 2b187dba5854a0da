"""The programs that go into sandboxes: the parts of `inside/`, joined to one module and compiled once for all runs.

The compiled module lies where Python caches one, unchecked: an interpreter of another version compiles the source.
"""

import importlib.util
import marshal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

MODULE = "assay_driver"
_PARTS = {
    "call": ("attempt", "candidate_module", "crossing", "call_driver"),
    "serve": ("attempt", "candidate_module", "crossing", "serve_driver"),
    "judge": ("attempt", "crossing", "strict", "link", "remote", "judge"),
}


@dataclass(frozen=True)
class Script:
    """A program for a sandbox."""

    source: str
    files: Mapping[str, bytes]
    """What lies beside the source."""


def call_script() -> Script:
    """Beside the candidate: makes one call. Wants `solution.py` and the call as standard input, leaves `reply`."""
    return _script("call")


def serve_script() -> Script:
    """Beside the candidate: answers the tests over the link."""
    return _script("serve")


def judge_script() -> Script:
    """On the tests' side of the link. Wants `order.json`, leaves `verdict.json`."""
    return _script("judge")


@cache
def _script(name: str) -> Script:
    source = joined(_PARTS[name]).encode()
    code = compile(source, f"{MODULE}.py", "exec", dont_inherit=True, optimize=2)
    unchecked = (0b01).to_bytes(4, "little")
    header = importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(source)
    cached = f"__pycache__/{MODULE}.{sys.implementation.cache_tag}.pyc"
    files = {f"{MODULE}.py": source, cached: header + marshal.dumps(code)}
    return Script(f"from {MODULE} import main\n\nmain()\n", files)


def joined(parts: tuple[str, ...]) -> str:
    """The parts as one module, without the lines in which they import each other."""
    folder = resources.files("rewarders.programs.inside")
    texts = [folder.joinpath(f"{part}.py").read_text("utf-8") for part in parts]
    return "\n".join(line for text in texts for line in text.splitlines() if not line.startswith("from ."))
