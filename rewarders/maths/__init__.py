"""`maths.equal`: is the final answer of a completion the reference?

Built to be hard to fool and impossible to stall. Model text is never evaluated: it goes through a small
parser of our own, sizes are checked before anything is computed, and what cannot be proved equal is not
equal. There is no tolerance but the one that `params` asks for.
"""

from collections.abc import Sequence
from threading import RLock
from typing import Any

from rewarders.errors import RewarderFault
from rewarders.maths.checking import check_reference
from rewarders.maths.ladder import Finding, Reason, Rung, climb, climb_each, is_same_text
from rewarders.maths.params import Params
from rewarders.maths.reference import Reference
from rewarders.registry import rewarder
from rewarders.text import Extracted, Extractor, after_thinking, extract, final_answer, unfinished
from rewarders.types import Completion, FinishReason, Verdict

__all__ = ["Params", "Reason", "Reference", "Rung", "equal", "verify"]

_EVIDENCE_CHARS = 300
_MAX_EQUIVALENT_BOXES = 4
_MARKED = frozenset({Extractor.BOX, Extractor.TAG})
"""What ends visibly: the 4 of "the answer is 4" may have been going to be 42."""
_ANYWHERE = tuple(Extractor)
_ONE_AT_A_TIME = RLock()
"""The precision of mpmath belongs to the process, not to a thread."""
_CUT_OFF = frozenset({FinishReason.LENGTH, FinishReason.ABORT})


@rewarder("maths.equal", version="1.2", params=Params, reference=Reference, preload=("sympy",), check=check_reference)
def equal(completion: Completion, reference: Reference, params: Params) -> Verdict:
    """1 if the final answer means the same as the reference, else 0."""
    found = extract(completion.text, params.accept)
    if found is None or not _counts(completion, found, params):
        return Verdict(score=0.0, reason=Reason.NO_ANSWER)
    verdict = _judged(reference, found, params)
    if verdict.reason == Reason.COSTLY_REFERENCE:
        raise RewarderFault(
            "the reference stands for too large a number to compare with; give its value, or a form of it"
        )
    return verdict


def verify(reference: Any, answer: str, params: Params | None = None) -> Verdict:
    r"""Judge an answer, without a server.

    Args:
        reference: the right answer, or a list of spellings of it any one of which is right, or a `Reference`.
        answer: an answer, or a whole completion that ends with one.
        params: how exact it has to be; by default exactly the value of the reference, in any form.

    Raises:
        pydantic.ValidationError: the reference is none.
    """
    chosen = params or Params()
    expected = reference if isinstance(reference, Reference) else Reference.model_validate(reference)
    as_it_stands = Extracted((answer,), Extractor.BARE)
    found = extract(answer, chosen.accept)
    if found is None and (chosen.accept != _ANYWHERE or after_thinking(answer) != answer):
        return Verdict(score=0.0, reason=Reason.NO_ANSWER)
    verdict = _judged(expected, found or as_it_stands, chosen)
    if verdict.score or not any(is_same_text(alternative, answer) for alternative in expected.answer):
        return verdict
    return _verdict(climb(answer, answer, chosen), as_it_stands)


def _counts(completion: Completion, found: Extracted, params: Params) -> bool:
    """Whether the answer can be the final one, if the completion was cut off."""
    if completion.finish_reason not in _CUT_OFF:
        return True
    marked = found.extractor in _MARKED and not unfinished(completion.text)
    return params.truncated == "marked" and marked


def _judged(reference: Reference, found: Extracted, params: Params) -> Verdict:
    expected = [final_answer(alternative) for alternative in reference.answer]
    with _ONE_AT_A_TIME:
        return _verdict(_found(expected, found, params), found)


def _found(expected: Sequence[str], found: Extracted, params: Params) -> Finding:
    """Several boxes side by side are one list, or one value in several forms; otherwise they are a hedge."""
    finding = climb_each(expected, found.text, params)
    if len(found.answers) == 1 or finding.reason is Reason.EQUAL:
        return finding
    if len(found.answers) <= _MAX_EQUIVALENT_BOXES:
        findings = [climb_each(expected, answer, params) for answer in found.answers]
        if all(each.reason is Reason.EQUAL for each in findings):
            return findings[-1]
    return Finding(Reason.AMBIGUOUS, finding.rung)


def _verdict(finding: Finding, found: Extracted) -> Verdict:
    evidence = {
        "answer": _shown(found.text),
        "extractor": found.extractor.value,
        "rung": finding.rung.value,
        "parsed": finding.parsed,
        "expected": finding.expected,
    }
    told = {name: text for name, text in evidence.items() if text}
    return Verdict(score=float(finding.reason is Reason.EQUAL), reason=finding.reason, evidence=dict(told))


def _shown(answer: str) -> str:
    """A bounded copy that can be stored as UTF-8, which a lone surrogate from a model's JSON cannot."""
    cut = answer if len(answer) <= _EVIDENCE_CHARS else answer[: _EVIDENCE_CHARS - 1] + "…"
    return cut.encode("utf-8", "replace").decode("utf-8")
