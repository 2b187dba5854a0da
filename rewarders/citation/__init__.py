"""Rewarders for answers that cite their sources: do the citations exist, are the quotations true, is it all supported?

`ids`, `quotes`, `copying`, `coverage` and `grounded` only compute. `supported` asks a judge, `entailed` a model.
"""

from rewarders.citation.copying import CopyingParams, copying
from rewarders.citation.grounding import GroundedParams, GroundedReference, grounded
from rewarders.citation.ids import CoverageParams, IdsParams, coverage, ids
from rewarders.citation.quotations import QuotesParams, quotes
from rewarders.citation.reasons import Reason
from rewarders.citation.reference import Sources
from rewarders.citation.supported import EntailedParams, SupportedParams, entailed, supported

__all__ = [
    "CopyingParams",
    "CoverageParams",
    "EntailedParams",
    "GroundedParams",
    "GroundedReference",
    "IdsParams",
    "QuotesParams",
    "Reason",
    "Sources",
    "SupportedParams",
    "copying",
    "coverage",
    "entailed",
    "grounded",
    "ids",
    "quotes",
    "supported",
]
