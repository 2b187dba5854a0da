"""Score real model solutions of grade-school problems, and compare the rewards with their labels.

openai/grade-school-math publishes the solutions of four models to each test problem, with a label that says
whether each is right. This turns that file into scoring items, and the service's answers into a figure of
agreement:

    python examples/gsm8k_solutions.py convert solutions.jsonl --out items.jsonl
    env-server score items.jsonl --out results.jsonl
    python examples/gsm8k_solutions.py compare items.jsonl results.jsonl solutions.jsonl

Both files hold a JSON object a line. The exit status of `compare` is 0 if every item was scored and at least
99 % agree.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
ANSWER_MARK = "A:"
RUBRIC = "math.v1"
REQUIRED_AGREEMENT = 0.99


@dataclass(frozen=True, slots=True)
class Solution:
    """One model's solution of one problem, as labelled by the publishers."""

    problem: int
    sample: int
    question: str
    answer: str
    text: str
    is_correct: bool

    @property
    def name(self) -> str:
        """What the solution is called in the report."""
        return f"gsm8k-{self.problem}/{MODELS[self.sample]}"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A solution whose reward is not its label."""

    solution: Solution
    reward: float | None
    reason: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the two commands and return its exit status."""
    options = _parser().parse_args(arguments)
    if options.command == "convert":
        return convert(options.solutions, options.out)
    return compare(options.items, options.results, options.solutions)


def convert(solutions: Path, out: Path) -> int:
    """Write one scoring item for each solution."""
    items = [item_of(solution) for solution in read_solutions(solutions)]
    out.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    print(f"{len(items)} items in {out}")
    return 0


def compare(items: Path, results: Path, solutions: Path) -> int:
    """Print how often reward and label agree, and each case where they do not."""
    labelled = list(read_solutions(solutions))
    asked, answered = list(_json_lines(items)), list(_json_lines(results))
    if asked != [item_of(solution) for solution in labelled]:
        sys.exit(f"{items} was not made from {solutions}; run convert again")
    if len(answered) != len(asked):
        sys.exit(f"{results} has {len(answered)} results for {len(asked)} items; score them again")
    disagreements = list(disagreeing(labelled, answered))
    for case in disagreements:
        _print_case(case)
    unscored = sum(result["reward"] is None for result in answered)
    agreement = 1 - len(disagreements) / len(labelled)
    print(f"{len(labelled)} solutions, {len(disagreements)} disagreements, {unscored} unscored")
    print(f"agreement {agreement:.2%}")
    return 0 if agreement >= REQUIRED_AGREEMENT and not unscored else 1


def read_solutions(path: Path) -> Iterator[Solution]:
    """All labelled solutions of the published file, in its order."""
    for problem, row in enumerate(_json_lines(path)):
        for sample, model in enumerate(MODELS):
            yield Solution(
                problem=problem,
                sample=sample,
                question=row["question"],
                answer=stated_answer(row["ground_truth"]),
                text=row[model]["solution"],
                is_correct=row[model]["is_correct"],
            )


def stated_answer(ground_truth: str) -> str:
    """What follows `A:` on the last line of a published ground truth.

    Raises:
        ValueError: if the last line is no such line.
    """
    last = ground_truth.rstrip().rpartition("\n")[2]
    if not last.startswith(ANSWER_MARK):
        raise ValueError(f"the ground truth ends in {last[:80]!r} and not in an {ANSWER_MARK} line")
    return last.removeprefix(ANSWER_MARK).strip()


def item_of(solution: Solution) -> dict[str, Any]:
    """The scoring item of a solution, as `POST /v1/score` takes it."""
    task_id = f"gsm8k-{solution.problem}"
    return {
        "task": {
            "id": task_id,
            "prompt": [{"role": "user", "content": solution.question}],
            "rubric": RUBRIC,
            "reference": {"answer": solution.answer},
        },
        "completion": {"text": solution.text, "finish_reason": "stop"},
        "group": task_id,
        "sample": solution.sample,
    }


def disagreeing(solutions: Sequence[Solution], results: Sequence[dict[str, Any]]) -> Iterator[Disagreement]:
    """The solutions whose reward, in the results of the same order, is not 1 for right and 0 for wrong."""
    for solution, result in zip(solutions, results, strict=True):
        if result["reward"] != float(solution.is_correct):
            yield Disagreement(solution, result["reward"], _reason(result))


def _reason(result: dict[str, Any]) -> str:
    verdicts = (component["verdict"] for component in result["components"])
    return ", ".join(verdict["reason"] for verdict in verdicts if verdict) or str(result["status"])


def _print_case(case: Disagreement) -> None:
    label = "right" if case.solution.is_correct else "wrong"
    ending = case.solution.text.rstrip().rpartition("\n")[2][-80:]
    print(f"{case.solution.name}: label {label}, reward {case.reward} ({case.reason})")
    print(f"    reference {case.solution.answer!r}, solution ends in {ending!r}")


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    converting = commands.add_parser("convert", help="published solutions to scoring items")
    converting.add_argument("solutions", type=Path, metavar="FILE", help="the published JSONL file")
    converting.add_argument("--out", type=Path, required=True, help="where the items go")
    comparing = commands.add_parser("compare", help="rewards against labels")
    comparing.add_argument("items", type=Path, help="what convert wrote")
    comparing.add_argument("results", type=Path, help="the answers of the service, one an item, in order")
    comparing.add_argument("solutions", type=Path, metavar="FILE", help="the published JSONL file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
