"""Rewarders that look at the shape of a completion and not at what it says. All of them only compute."""

from rewarders.layout.characters import CharactersParams, CharactersReason, characters
from rewarders.layout.json_value import JsonParams, JsonReason, json_value
from rewarders.layout.language import LanguageParams, LanguageReason, language
from rewarders.layout.length import LengthParams, LengthReason, length
from rewarders.layout.pattern import PatternParams, PatternReason, pattern
from rewarders.layout.repetition import RepetitionParams, RepetitionReason, repetition
from rewarders.layout.sections import SectionsParams, SectionsReason, sections
from rewarders.layout.tags import TagsParams, TagsReason, tags

__all__ = [
    "CharactersParams",
    "CharactersReason",
    "JsonParams",
    "JsonReason",
    "LanguageParams",
    "LanguageReason",
    "LengthParams",
    "LengthReason",
    "PatternParams",
    "PatternReason",
    "RepetitionParams",
    "RepetitionReason",
    "SectionsParams",
    "SectionsReason",
    "TagsParams",
    "TagsReason",
    "characters",
    "json_value",
    "language",
    "length",
    "pattern",
    "repetition",
    "sections",
    "tags",
]
