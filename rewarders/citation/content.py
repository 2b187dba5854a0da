"""What a sentence is about: the stems of its content words, and its numbers. By words alone, in any language."""

from collections.abc import Iterable, Sequence

from rewarders.prose.words import is_number

_STEM = 5
_CONTENT_CHARS = 4
_FUNCTION_WORDS = frozenset((
    "about", "after", "also", "although", "because", "been", "before", "being", "between", "both", "cannot",
    "could", "does", "from", "have", "however", "into", "itself", "just", "many", "more", "most", "much", "only",
    "other", "over", "same", "should", "since", "some", "such", "than", "that", "their", "them", "then", "there",
    "therefore", "these", "they", "this", "those", "though", "through", "thus", "under", "until", "upon", "very",
    "were", "what", "when", "where", "whether", "which", "while", "whose", "will", "with", "would", "your", "aber",
    "auch", "dass", "diese", "dieser", "durch", "eine", "einem", "einen", "einer", "nach", "nicht", "oder", "sein",
    "sich", "sind", "über", "wurde", "wurden", "dans", "avec", "pour", "plus", "sont", "cette", "elle", "leur",
    "mais", "como", "para", "pero", "esta", "este", "entre", "sobre", "también", "desde",
))  # fmt: skip
"""They say nothing of what a sentence is about. In other languages they count like any word."""
_FEWEST_STEMS = 3

Stems = frozenset[str]


def stem(word: str) -> str:
    """The beginning of a word, so that its endings make no difference; a number whole, without its commas."""
    return word.replace(",", "") if is_number(word) else word[:_STEM]


def content(words: Iterable[str]) -> Stems:
    """The stems of the content words."""
    return frozenset(
        word[:_STEM]
        for word in words
        if (len(word) >= _CONTENT_CHARS or not word.isascii()) and word not in _FUNCTION_WORDS and not is_number(word)
    )


def numbers(words: Iterable[str]) -> Stems:
    """The numbers, without their commas."""
    return frozenset(stem(word) for word in words if is_number(word))


def says_little(about: Stems, counted: Stems, share: float) -> bool:
    """Whether that share of a sentence's content is neither three words nor one and a number: `The reef is a reef`."""
    return round(share * len(about)) + 2 * bool(counted) < _FEWEST_STEMS


def different(sentences: Sequence[tuple[Stems, Stems]]) -> int:
    """How many of them differ, in a number or in more than one content word, from all that were counted before.

    Args:
        sentences: content and numbers of each.
    """
    known: set[int] = set()
    count = 0
    for about, counted in sentences:
        nearby = _nearby(about, counted)
        if known.isdisjoint(nearby):
            known |= nearby
            count += 1
    return count


def _nearby(about: Stems, counted: Stems) -> set[int]:
    """Of the set of content words, and of that set without any one of them, a number for each.

    Two sets share one if a word was added, taken out or replaced. Exclusive or makes this linear in the words.
    """
    hashes = [hash(one) for one in about]
    whole = hash(counted)
    for one in hashes:
        whole ^= one
    return {whole, *(whole ^ one for one in hashes)} if len(hashes) >= _FEWEST_STEMS else {whole}
