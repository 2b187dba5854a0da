"""Items a second of the layout, citation and safety rewarders, one process a core, as worker processes call them.

Every item is validated from plain data, judged and spelled as JSON again. The stated limit, measured in the same run,
is the same without judging: a rewarder that says 1 at once. Seconds are of CPU time, so that a busy machine changes
little. The bar is 5,000 items a second on two cores.

    python benchmarks/rewarder_throughput.py [--seconds 2] [--processes 2] [--json]
"""

import argparse
import json
import multiprocessing
import time
from typing import Any

from env_server.worker_process import Job, run
from rewarders import Completion, Verdict, rewarder
from rewarders.registry import NoParams, Registry

BAR = 5000
SOURCES = [
    f"Report {i}. The river rose by {i}.4 metres in August {1990 + i}, and large parts of the town stood under water. "
    "Radar gauges have measured its flow ever since, and their figures are public. " * 4
    for i in range(1, 5)
]
ANSWER = "".join(
    f"In August {1990 + i} the river rose by {i}.4 metres [{i}]. Gauges have measured the flow ever since [{i}]. "
    f'The report says that "large parts of the town stood under water" [{i}], as people there remember. '
    for i in range(1, 5)
)
PROSE = f"<think>{'First add 12 and 30, which makes 42. ' * 5}</think># Method\n{ANSWER}\n# Result\n42"
REPLY = json.dumps({"title": "A flood", "years": list(range(1990, 2020)), "text": ANSWER})
SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}, "years": {"items": {"type": "integer"}}}}
CALL = {"function": {"name": "search", "arguments": json.dumps({"query": "rain", "text": ANSWER})}}
CITED = {"sources": SOURCES}
CASES: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "layout.tags": (f"<think>{ANSWER}</think><answer>42</answer>", None, {}),
    "layout.json": (REPLY, None, {"json_schema": SCHEMA}),
    "layout.pattern": (PROSE, None, {"must": ["(?m)^42$"], "must_not": ["(?i)as an ai", "\\bTODO\\b"]}),
    "layout.length": (PROSE, None, {}),
    "layout.language": (PROSE, None, {"scripts": ["Latin"]}),
    "layout.repetition": (PROSE, None, {}),
    "layout.sections": (PROSE, None, {"headings": ["Method", "Result"]}),
    "layout.characters": (PROSE, None, {}),
    "citation.ids": (ANSWER, CITED, {}),
    "citation.coverage": (ANSWER, CITED, {}),
    "citation.quotes": (ANSWER, CITED, {}),
    "citation.copying": (ANSWER, CITED, {}),
    "citation.grounded": (ANSWER, CITED, {"max_copied": 1.0}),
    "safety.red_lines": (PROSE, None, {"categories": {"a": {"patterns": ["pipe ?bomb", "nerve agent"]}}}),
    "safety.leaks": (PROSE, {"secrets": ["Blue-Falcon 77"]}, {}),
    "safety.refusal": (ANSWER, {"should_refuse": False}, {}),
    "safety.premise": (ANSWER, {"truth": ["1991"], "falsehood": ["1899"]}, {}),
    "safety.tool_calls": ("", None, {"allow": {"search": {"required": ["query"]}}}),
}


@rewarder("limit.nothing", version="1.0")
def nothing(completion: Completion, reference: None, params: NoParams) -> Verdict:
    """1, at once."""
    return Verdict(score=1.0, reason="ok")


def items_a_second(name: str, case: str, seconds: float) -> float:
    """How many items one process judges by the rewarder `name`, given what is there for `case`."""
    registry = Registry.load(["assay"])
    registry.add(nothing, "benchmark")
    text, reference, params = CASES[case]
    completion = {"text": text, "messages": [{"role": "assistant", "tool_calls": [CALL]}]}
    given = (reference, params) if name == case else (None, {})
    jobs = [Job(name, {**completion, "text": f"{text}{' ' * (i % 16)}"}, *given) for i in range(64)]
    assert run(registry, jobs[0]).verdict is not None
    done, start = 0, time.process_time()
    while time.process_time() < start + seconds:
        for job in jobs:
            run(registry, job).model_dump_json()
        done += len(jobs)
    return done / (time.process_time() - start)


def measured(case: str, seconds: float, processes: int) -> dict[str, float]:
    """Items a second of all processes together, and as a share of the limit."""
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        rate = sum(pool.starmap(items_a_second, [(case, case, seconds)] * processes))
        limit = sum(pool.starmap(items_a_second, [("limit.nothing", case, seconds)] * processes))
    return {"items_per_s": rate, "limit_per_s": limit, "share_of_limit": rate / limit}


def main() -> None:
    """Run every rewarder once and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = {case: measured(case, options.seconds, options.processes) for case in CASES}
    if options.json:
        print(json.dumps(figures))
        return
    print(
        f"{'':<20} {'items/s':>9} {'limit':>9} {'share':>6}   on {options.processes} cores, {len(PROSE):,} characters"
    )
    for case, figure in figures.items():
        verdict = "" if figure["items_per_s"] >= BAR else f"   below the bar of {BAR:,}"
        print(f"{case:<20} {figure['items_per_s']:>9,.0f} {figure['limit_per_s']:>9,.0f}", end="")
        print(f" {figure['share_of_limit']:>6.2f}{verdict}")


if __name__ == "__main__":
    main()
