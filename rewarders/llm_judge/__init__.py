"""`judge.*`: language models as judges, behind whatever adapter the service provides.

A judge may be talked into an opinion; nothing here lets a text forge one. Texts go in as data, an answer comes back as
one object with an unguessable code, and what cannot be read is nobody's verdict.
"""

from rewarders.llm_judge.params import Reason
from rewarders.llm_judge.pointwise import answer, criteria
from rewarders.llm_judge.ranking import compare

__all__ = ["Reason", "answer", "compare", "criteria"]
