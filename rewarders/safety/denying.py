"""Whether a sentence claims or denies what it mentions, clause by clause, in many languages."""

import re
from functools import cache, cached_property, lru_cache

from rewarders.prose.folding import fold
from rewarders.prose.words import words
from rewarders.safety import phrases

Alternatives = tuple[str, ...]
_CLAUSE_END = re.compile(
    r",(?!\d)|[;:()，；：]| - | (?:and|but|though|although|whereas|while|und|aber|obwohl|et|mais|y|pero|aunque|e|ma|mas"
    r"|maar|en|и|но|а) "
)
_DENIED = (
    r" (?:not|never|n t|isn t|wasn t|aren t|weren t|don t|doesn t|didn t|nicht|keine?|pas|jamais|nunca|nao|non|mai|niet"
    r"|geen|не|不|没|没 有|不 是|rather than|instead of|statt)"
    r"(?: (?!(?:until|till|before|only|but|bis|erst|sondern|avant|hasta|ate|prima|fino|tot|voor|до|только) )\w+){0,3} "
)
"""What is denied stands within three words, unless it is when something ends."""
_RELATED = (
    r" (?:before|after|by|since|until|than|from|vor|nach|seit|als|avant|apres|depuis|antes de|despues de|desde"
    r"|depois de|prima|dopo|voor|sinds|до|после|с)(?: the)?"
)
"""What tells when or in comparison with what something else is."""
_PRONOMINAL = re.compile(
    r" (?:it|that|this|they|he|she|no|yes|but|or|actually|really|rather|wait|sorry|i|the (?:right |correct )?answer|so"
    r"|then|es|das|il|elle|c|ce|es|era|eso|e|oh)\b"
)
"""A sentence that begins like this may be about what was asked without naming it."""
_FEW_WORDS = 3


class Claims:
    """What a sentence claims. Most mention nothing of interest, and are not looked at any further."""

    def __init__(self, sentence: str) -> None:
        self._folded = fold(sentence)
        self._spelled = _spelled(self._folded)

    @cached_property
    def _sentence(self) -> str:
        """The sentence, what only sounds like a denial blanked."""
        return _pattern("NOT_DENIALS").sub(" ", self._folded)

    def hold(self, alternatives: Alternatives, about: Alternatives = (), *, told: bool = False) -> bool:
        """Whether one of them is claimed: neither denied nor told as an opinion that the sentence turns from.

        Args:
            alternatives: words for one thing.
            about: words for what is claimed of it. Once the truth is told, a sentence without any only mentions it.
            told: whether the truth is.
        """
        if not _mentions(self._spelled, alternatives) or (told and self._is_about_else(about)):
            return False
        clauses = self._clauses(alternatives)
        for clause, behind in zip(clauses, [*clauses[1:], ""], strict=True):
            claims = _mentions(_spelled(clause), alternatives) and self._is_own(clause, behind)
            if claims and not (told and _only_relates(clause, alternatives)):
                return True
        return False

    def tell(self, alternatives: Alternatives) -> bool:
        """Whether one of them is mentioned and it is not just that which is denied."""
        if not _mentions(self._spelled, alternatives):
            return False
        mentioning = (clause for clause in self._clauses(alternatives) if _mentions(_spelled(clause), alternatives))
        return any(not _is_denied(clause, alternatives) for clause in mentioning)

    def _clauses(self, alternatives: Alternatives) -> list[str]:
        """The clauses; the sentence, where a comma within one of the alternatives has cut it."""
        clauses = _CLAUSE_END.split(self._sentence)
        return clauses if any(_mentions(_spelled(clause), alternatives) for clause in clauses) else [self._sentence]

    def _is_own(self, clause: str, behind: str) -> bool:
        """Whether a clause says what it mentions in its own voice: nothing in it, and no predicate behind, denies."""
        if _pattern("REPORTS").search(clause) and _pattern("CONTRASTS").search(self._sentence):
            return False
        denied = _pattern("DENIALS").search(clause) or _pattern("REBUTTALS").search(clause)
        return not denied and not _pattern("PREDICATES").match(behind.lstrip())

    def _is_about_else(self, about: Alternatives) -> bool:
        named = not about or _mentions(self._spelled, about)
        return not (named or _PRONOMINAL.match(self._spelled) or len(self._spelled.split()) <= _FEW_WORDS)


def turns(sentence: str) -> bool:
    """Whether a sentence turns to the opposite of how it began."""
    return _pattern("CONTRASTS").search(fold(sentence)) is not None


def _mentions(spelled: str, alternatives: Alternatives) -> bool:
    return any(_wanted(alternative) in spelled for alternative in alternatives)


def _is_denied(clause: str, alternatives: Alternatives) -> bool:
    spelled = _spelled(clause)
    return any(re.search(_DENIED + re.escape(_wanted(one)[1:]), spelled) for one in alternatives)


def _only_relates(clause: str, alternatives: Alternatives) -> bool:
    """Whether they are mentioned for nothing but when, or in comparison with what, something else is."""
    rest = _spelled(clause)
    for one in alternatives:
        rest = re.sub(f"{_RELATED}{re.escape(_wanted(one))}", " ", rest)
    return not _mentions(rest, alternatives)


def _spelled(folded: str) -> str:
    return f" {' '.join(words(folded))} "


@lru_cache(maxsize=1024)
def _wanted(alternative: str) -> str:
    return _spelled(fold(alternative))


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile("|".join(map(fold, getattr(phrases, name))))
