"""One grader of maths answers behind a pipe: a case a line on stdin, its verdict a line on stdout.

Started by `maths_graders.py`, with the interpreter that has the grader's packages; it needs nothing else.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

Grader = Callable[[str, str], bool]


def ours() -> Grader:
    """`rewarders.maths.verify`."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from rewarders.maths import verify

    return lambda gold, pred: verify(gold, pred).score == 1.0


def math_verify() -> Grader:
    """Math-Verify with its defaults; what is neither a formula nor boxed is made a formula first."""
    from math_verify import parse, verify  # type: ignore[import-not-found]

    def as_formula(text: str) -> str:
        return text if "$" in text or "\\boxed" in text else f"${text}$"

    def accepts(gold: str, pred: str) -> bool:
        return bool(verify(parse(as_formula(gold)), parse(as_formula(pred))))

    return accepts


def answer(grader: Grader, gold: str, pred: str) -> dict[str, object]:
    """The verdict on one case, how long it took and what the process has needed so far."""
    start = time.perf_counter()
    accepted = grader(gold, pred)
    wall_s = time.perf_counter() - start
    return {
        "accepted": accepted,
        "wall_s": wall_s,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main() -> None:
    """Answer until stdin closes. A grader that raises ends the process, which the other side counts."""
    verdicts, sys.stdout = sys.stdout, sys.stderr
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    start = time.perf_counter()
    grader = {"ours": ours, "math-verify": math_verify}[sys.argv[1]]()
    print(json.dumps({"import_s": time.perf_counter() - start}), file=verdicts, flush=True)
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps(answer(grader, case["gold"], case["pred"])), file=verdicts, flush=True)


if __name__ == "__main__":
    main()
