"""Score HumanEval's own solutions, which must pass, and answers that must not.

openai/human-eval publishes 164 problems with a solution and tests each. This turns that file into scoring items with
three answers a problem, and the service's answers into a count of what passed:

    python examples/humaneval.py convert HumanEval.jsonl --out items.jsonl
    env-server score items.jsonl --out results.jsonl
    python examples/humaneval.py compare items.jsonl results.jsonl

All three files hold a JSON object a line. The exit status of `compare` is 0 if every item was scored, every solution
passed and nothing else did.

The tests of three problems use functions that the prompt defines beside the one that is asked for. `convert` puts those
into the tests, so that no answer can bring its own; `--as-published` leaves them to the answer.
"""

import argparse
import ast
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUBRIC = "code.v1"
ANSWERS = ("solution", "another problem's solution", "pass")
"""What is answered, in the order of `sample`. Only the first is right."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of the published file."""

    name: str
    prompt: str
    entry_point: str
    solution: str
    tests: str

    @property
    def program(self) -> str:
        """The published solution, whole."""
        return self.prompt + self.solution


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the two commands and return its exit status."""
    options = _parser().parse_args(arguments)
    if options.command == "convert":
        return convert(options.problems, options.out, as_published=options.as_published)
    return compare(options.items, options.results)


def convert(problems: Path, out: Path, *, as_published: bool) -> int:
    """Write three scoring items for each problem."""
    items = list(items_of(list(read_problems(problems)), as_published=as_published))
    out.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    print(f"{len(items)} items in {out}")
    return 0


def compare(items: Path, results: Path) -> int:
    """Print how many answers of each kind passed, and each that should not or did not."""
    asked, answered = list(_json_lines(items)), list(_json_lines(results))
    if len(asked) != len(answered):
        sys.exit(f"{results} has {len(answered)} results for {len(asked)} items; score them again")
    surprises = 0
    for sample, answer in enumerate(ANSWERS):
        pairs = [(item, result) for item, result in zip(asked, answered, strict=True) if item["sample"] == sample]
        odd = [(item, result) for item, result in pairs if result["reward"] != float(sample == 0)]
        for item, result in odd:
            print(f"{item['task']['id']}: {answer}: reward {result['reward']} ({_reason(result)})")
        passed = sum(result["reward"] == 1.0 for _, result in pairs)
        print(f"{answer}: {passed} of {len(pairs)} pass")
        surprises += len(odd)
    return 1 if surprises else 0


def read_problems(path: Path) -> Iterator[Problem]:
    """The problems of the published file, in its order."""
    for row in _json_lines(path):
        yield Problem(row["task_id"], row["prompt"], row["entry_point"], row["canonical_solution"], row["test"])


def items_of(problems: Sequence[Problem], *, as_published: bool) -> Iterator[dict[str, Any]]:
    """The scoring items, as `POST /v1/score` takes them."""
    for problem, another in zip(problems, [*problems[1:], *problems[:1]], strict=True):
        task = task_of(problem, as_published=as_published)
        renamed = f"{another.program}\n\n{problem.entry_point} = {another.entry_point}\n"
        for sample, code in enumerate((problem.program, renamed, f"{problem.prompt}    pass\n")):
            completion = {"text": f"```python\n{code}```\n", "finish_reason": "stop"}
            yield {"task": task, "completion": completion, "group": problem.name, "sample": sample}


def task_of(problem: Problem, *, as_published: bool) -> dict[str, Any]:
    """The task of a problem: its prompt, and its tests as asserts."""
    code = problem.tests if as_published else helpers_of(problem) + problem.tests
    question = f"Complete this function. Answer with the whole program in one Python block.\n\n{problem.prompt}"
    return {
        "id": problem.name,
        "prompt": [{"role": "user", "content": question}],
        "rubric": RUBRIC,
        "reference": {
            "language": "python",
            "tests": {"kind": "asserts", "entry_point": problem.entry_point, "code": code},
        },
    }


def helpers_of(problem: Problem) -> str:
    """What the prompt defines beside the entry point, imports included, where the tests use it."""
    used = {node.id for node in ast.walk(ast.parse(problem.tests)) if isinstance(node, ast.Name)}
    given = [node for node in ast.parse(problem.prompt).body if getattr(node, "name", "") != problem.entry_point]
    if not used & {node.name for node in given if isinstance(node, ast.FunctionDef)}:
        return ""
    return "".join(f"{ast.unparse(node)}\n\n" for node in given)


def _reason(result: dict[str, Any]) -> str:
    said = (part["verdict"]["reason"] if part["verdict"] else part["fault"]["message"] for part in result["components"])
    return ", ".join(said) or str(result["status"])


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    converting = commands.add_parser("convert", help="published problems to scoring items")
    converting.add_argument("problems", type=Path, metavar="FILE", help="the published JSONL file")
    converting.add_argument("--out", type=Path, required=True, help="where the items go")
    converting.add_argument("--as-published", action="store_true", help="leave the prompt's helpers out of the tests")
    comparing = commands.add_parser("compare", help="rewards against what they should be")
    comparing.add_argument("items", type=Path, help="what convert wrote")
    comparing.add_argument("results", type=Path, help="the answers of the service, one an item, in order")
    return parser


if __name__ == "__main__":
    sys.exit(main())
