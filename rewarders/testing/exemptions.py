"""What a suite may leave out, each with its reason; anything else in `exempt` is a slip of the pen, or an excuse."""

from rewarders.testing.cases import CasesError, Suite
from rewarders.testing.corpus import never_accept
from rewarders.testing.hostile import HOSTILE
from rewarders.testing.transformations import TRANSFORMATIONS

CHECKS = ("never_accept", "mutants", "null_policy", "defects")
"""Which of the twelve. The others hold for every rewarder: what answers to no check at all is not examined."""

PARTS = ("hostile", "cut_short", "shuffled", "unexplained", "repeat", "elsewhere", "alone")
"""Parts of a check."""

KINDS = ("bad_task", "bad_params")
"""Kinds of cases that a rewarder may have no way to show."""


def require_known(suite: Suite) -> None:
    """Raises CasesError: the suite leaves out what nobody knows, or what nobody may leave out."""
    may = {*CHECKS, *PARTS, *KINDS, *TRANSFORMATIONS, *HOSTILE}
    may |= {name for row in never_accept() for name in (row.id, row.name)}
    unknown = [name for name in suite.about.exempt if name not in may]
    if unknown:
        raise CasesError(
            f"{suite.path} exempts {unknown[0]!r}, which cannot be left out",
            hint=f"what can: {', '.join((*CHECKS, *PARTS, *KINDS, *TRANSFORMATIONS))}, a row of the corpus, or a "
            "hostile text",
        )
    traits = {row.trait for row in never_accept()} | {need for need, _ in TRANSFORMATIONS.values() if need}
    if strange := [trait for trait in suite.about.traits if trait not in traits]:
        raise CasesError(
            f"{suite.path} claims the trait {strange[0]!r}, which is none",
            hint=f"there are {', '.join(sorted(traits - {'any'}))}",
        )
