"""Beside the candidate's code: one call, its arguments from standard input, its result to the file `reply`.

The candidate can do what it likes with this process. All that leaves it is data, judged elsewhere.
"""

import os
import sys
from typing import Any

from .attempt import Attempt
from .candidate_module import load
from .crossing import NotPlain, decode, dumps, encode, loads


def find(target: Any, path: str) -> Any:
    """What a dotted name means; a class on the way is instantiated, so that `Solution.solve` is a method."""
    for name in path.split("."):
        target = getattr(target() if isinstance(target, type) else target, name)
    return target


def answer(call: dict[str, Any]) -> dict[str, Any]:
    """What came of the call."""
    with Attempt() as loading:
        module = load("solution.py")
    if loading.raised is not None:
        return {"raised": loading.raised, "at": "load"}
    with Attempt() as finding:
        function = find(module, call["entry_point"])
    if finding.raised is not None:
        return {"raised": finding.raised, "at": "find"}
    with Attempt() as calling:
        result = function(*decode(call["args"]), **decode(call["kwargs"]))
    if calling.raised is not None:
        return {"raised": calling.raised, "at": "call"}
    with Attempt() as encoding:
        return {"value": encode(result)}
    if isinstance(encoding.error, NotPlain):
        return {"opaque": str(encoding.error)}
    return {"raised": encoding.raised, "at": "reply"}


def main() -> None:
    """Make the call and end at once: nothing that is left behind gets another turn."""
    path, finish = os.path.abspath("reply"), os._exit
    data = dumps(answer(loads(sys.stdin.buffer.read())))
    with open(path, "wb") as file:
        file.write(data)
    finish(0)
