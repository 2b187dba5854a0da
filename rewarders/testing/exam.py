"""Puts a rewarder through the twelve checks, and says how it did."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rewarders.digests import digest
from rewarders.testing.bounds import lower_bound, upper_bound
from rewarders.testing.cases import Case, CasesError, Suite, read_suite
from rewarders.testing.checks import CHECKS, Check, Finding, Seen
from rewarders.testing.corpus import corpus_digest
from rewarders.testing.exemptions import require_known
from rewarders.testing.nursery import Nurseries, Source
from rewarders.testing.probe import Outcome, Probe

_KEPT_CHARS = 10_000
_MOST_FINDINGS = 50
_AT_ONCE = 16
_SLOW_OR_LOOKING_BACK = {"isolation": 1, "never_accept": 2, "totality": 3, "evidence": 4}


@dataclass(frozen=True)
class Result:
    """What one check came to."""

    check: Check
    trials: int
    found: int
    findings: tuple[Finding, ...]
    """The first of them."""
    ok: bool
    exempt: str | None = None
    """Why the suite leaves the check out, if it does."""

    @property
    def bound(self) -> float | None:
        """Upper bound on the rate of what was found, at 95 % confidence; None where nothing was tried."""
        return upper_bound(self.found, self.trials) if self.trials else None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        counts = {"check": self.check.name, "ok": self.ok, "trials": self.trials, "found": self.found}
        findings = [{"row": finding.row, "seen": finding.seen} for finding in self.findings]
        return {**counts, "upper_bound": self.bound, "exempt": self.exempt, "findings": findings}


@dataclass(frozen=True)
class Report:
    """A score card: it holds for this version of the rewarder, its code, these cases and this corpus."""

    rewarder: str
    version: str
    distribution: str
    code_digest: str
    suite_digest: str
    corpus_digest: str
    results: tuple[Result, ...]
    exempt: dict[str, str]

    @property
    def ok(self) -> bool:
        """Whether every check is passed."""
        return all(result.ok for result in self.results)

    @property
    def accepts(self) -> float:
        """Lower bound on the share of right answers that are paid."""
        right = next(result for result in self.results if result.check.name == "must_accept")
        return lower_bound(right.trials - right.found, right.trials)

    def __getitem__(self, name: str) -> Result:
        return next(result for result in self.results if result.check.name == name)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        digests = {"code": self.code_digest, "suite": self.suite_digest, "corpus": self.corpus_digest}
        return {
            "rewarder": self.rewarder, "version": self.version, "distribution": self.distribution, "ok": self.ok,
            "digests": digests, "exempt": self.exempt, "checks": [result.as_json() for result in self.results],
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"{self.rewarder} {self.version}, from {self.distribution}"]
        for result in self.results:
            lines.append(f"{'ok ' if result.ok else 'BAD'} {result.check.name}: {result.found} of {result.trials}")
            lines += [f"    {finding.row}: {finding.seen}" for finding in result.findings]
        return "\n".join(lines)


@dataclass
class _Sitting:
    """The exam that the checks see."""

    suite: Suite
    here: Probe
    elsewhere: Probe
    seen: list[Seen] = field(default_factory=list)
    _answers: dict[str, Outcome] = field(default_factory=dict)

    @property
    def spec(self) -> dict[str, Any]:
        return self.here.spec

    def ask(self, row: str, case: Case) -> Outcome:
        key = digest([_storable(case.asked.text), case.asked.finish_reason, case.reference, case.params])
        key += str(case.asked.messages)
        if key not in self._answers:
            outcome = self._answers[key] = self.here.ask(case)
            text = case.asked.text
            self.seen.append(Seen(row, len(text), outcome, text if len(text) <= _KEPT_CHARS else ""))
        return self._answers[key]

    def ask_again(self, case: Case) -> Outcome:
        return self.here.ask(case)

    def ask_elsewhere(self, cases: Sequence[Case]) -> list[Outcome]:
        outcomes = list[Outcome]()
        for start in range(0, len(cases), _AT_ONCE):
            batch = cases[start : start + _AT_ONCE]
            together = self.elsewhere.ask_together(batch)
            outcomes += [self.elsewhere.ask(case) for case in batch] if together[0].died else together
        return outcomes

    def ask_alone(self, case: Case) -> Outcome:
        with Probe(self.elsewhere.source, self.elsewhere.nursery) as alone:
            return alone.ask(case)


def examine(source: Source, cases: Path | None = None, nurseries: Nurseries | None = None) -> Report:
    """Put a rewarder through every check.

    Args:
        source: which rewarder, and where it is found.
        cases: its cases file; `cases/NAME.jsonl` beside its package's code if not given.
        nurseries: probers to be shared with other exams; its own if not given.

    Raises:
        CasesError: there are no cases, or they prove too little.
        PluginError: the rewarder is not there, or its package does not load.
    """
    with _sit(source, cases, nurseries) as sitting:
        results = tuple(_result(check, sitting) for check in CHECKS)
        spec, suite = sitting.spec, sitting.suite
    return Report(
        spec["name"], spec["version"], spec["distribution"], spec["code_digest"], suite.digest, corpus_digest(),
        results, suite.about.exempt,
    )  # fmt: skip


def first_failure(source: Source, cases: Path, nurseries: Nurseries | None = None) -> Result | None:
    """A check that fails, if one does; the quick ones come first, and none once one fails. Raises as `examine` does."""
    with _sit(source, cases, nurseries) as sitting:
        quick_ones_first = sorted(CHECKS, key=lambda check: _SLOW_OR_LOOKING_BACK.get(check.name, 0))
        return next((result for check in quick_ones_first if not (result := _result(check, sitting)).ok), None)


@contextmanager
def _sit(source: Source, cases: Path | None, nurseries: Nurseries | None) -> Iterator[_Sitting]:
    with ExitStack() as stack:
        shared = nurseries or stack.enter_context(Nurseries())
        here = stack.enter_context(Probe(source, shared.of(source, elsewhen=False)))
        elsewhere = stack.enter_context(Probe(source, shared.of(source, elsewhen=True)))
        here.start()
        path = cases or here.cases
        if path is None:
            hint = f"put them into the package, as cases/{source.rewarder}.jsonl, or name the file"
            raise CasesError(f"{source.rewarder} brings no cases", hint=hint)
        suite = read_suite(path, source.rewarder)
        require_known(suite)
        yield _Sitting(suite, here, elsewhere)


def _result(check: Check, sitting: _Sitting) -> Result:
    about = sitting.suite.about
    if check.name in about.exempt:
        return Result(check, 0, 0, (), ok=True, exempt=about.exempt[check.name])
    trials, findings = 0, list[Finding]()
    for found in check.trials(sitting):
        trials += 1
        if found:
            findings.append(found)
    if not trials and not check.may_be_empty:
        findings.append(Finding(str(sitting.suite.path), "nothing was tried: the suite leaves out whatever there is"))
    ok = check.allows(len(findings), trials, about) if trials else not findings
    return Result(check, trials, len(findings), tuple(findings[:_MOST_FINDINGS]), ok)


def _storable(text: str) -> str:
    """A lone surrogate has no canonical spelling."""
    return text.encode("utf-8", "backslashreplace").decode()
