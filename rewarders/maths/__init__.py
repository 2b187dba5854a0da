"""`maths.equal`: is the final answer of a completion the reference?

Built to be hard to fool and impossible to stall. Model text is never evaluated: it goes through a small
parser of our own, sizes are checked before anything is computed, and what cannot be proved equal is not
equal. There is no tolerance.
"""

from rewarders.maths.ladder import Finding, Reason, Rung, climb_each
from rewarders.maths.reference import Params, Reference
from rewarders.registry import rewarder
from rewarders.text import Extracted, Extractor, extract
from rewarders.types import Completion, FinishReason, Verdict

__all__ = ["Params", "Reason", "Reference", "Rung", "equal", "verify"]

_EVIDENCE_CHARS = 300
_MAX_EQUIVALENT_BOXES = 4


@rewarder("maths.equal", version="1.0", params=Params, reference=Reference, preload=("sympy",))
def equal(completion: Completion, reference: Reference, params: Params) -> Verdict:
    """1 if the final answer means the same as the reference, else 0."""
    found = extract(completion.text, params.accept)
    cut_off = completion.finish_reason in (FinishReason.LENGTH, FinishReason.ABORT)
    if found is None or (cut_off and found.extractor is Extractor.BARE):
        return Verdict(score=0.0, reason=Reason.NO_ANSWER)
    return _verdict(_judge(reference, found), found.text, extractor=found.extractor.value)


def verify(reference: Reference, answer: str, params: Params | None = None) -> Verdict:
    """Judge an answer that has already been extracted. `params` says nothing about comparing, so far."""
    return _verdict(climb_each(reference.answer, answer), answer)


def _judge(reference: Reference, found: Extracted) -> Finding:
    """Several boxes side by side are one list, or one value in several forms; otherwise they are a hedge."""
    finding = climb_each(reference.answer, found.text)
    if len(found.answers) == 1 or finding.reason is Reason.EQUAL:
        return finding
    if len(found.answers) <= _MAX_EQUIVALENT_BOXES:
        findings = [climb_each(reference.answer, answer) for answer in found.answers]
        if all(each.reason is Reason.EQUAL for each in findings):
            return findings[-1]
    return Finding(Reason.AMBIGUOUS, finding.rung)


def _verdict(finding: Finding, answer: str, **how: str) -> Verdict:
    evidence = {"answer": _shown(answer), "rung": finding.rung.value, **how}
    return Verdict(score=float(finding.reason is Reason.EQUAL), reason=finding.reason, evidence=dict(evidence))


def _shown(answer: str) -> str:
    """A bounded copy that can be stored as UTF-8, which a lone surrogate from a model's JSON cannot."""
    cut = answer if len(answer) <= _EVIDENCE_CHARS else answer[: _EVIDENCE_CHARS - 1] + "…"
    return cut.encode("utf-8", "replace").decode("utf-8")
