"""What changes nothing about an answer, or changes answer and task alike: the verdict has to stay.

Each makes another case of a case, or None where there is nothing to be changed.
"""

import ast
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from rewarders.testing.cases import Case

Transformation = Callable[[Case], Case | None]

_CITED = re.compile(r"\[([1-9][0-9]*(?:\s*,\s*[1-9][0-9]*)*)\]")
_FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)
_DYNAMIC = re.compile(r"\b(locals|globals|vars|eval|exec|_getframe|f_locals|inspect|ast)\b")
_VARIABLES, _FRESH = "xyz", "uvwrs"


def _of_text(change: Callable[[str], str]) -> Transformation:
    def transform(case: Case) -> Case | None:
        text = change(case.asked.text)
        return case.with_text(text) if text != case.asked.text else None

    return transform


def permuted_sources(case: Case) -> Case | None:
    """The sources in the opposite order, and every citation with them."""
    reference = case.reference
    if not isinstance(reference, dict) or not isinstance(sources := reference.get("sources"), list):
        return None
    count = len(sources)

    def moved(number: re.Match[str]) -> str:
        return str(count + 1 - int(number[0])) if 1 <= int(number[0]) <= count else number[0]

    text = _CITED.sub(lambda cited: re.sub("[0-9]+", moved, cited[0]), case.asked.text)
    changed = {**reference, "sources": sources[::-1]}
    return case.with_text(text).model_copy(update={"reference": changed}) if count > 1 else None


def renamed_variable(case: Case) -> Case | None:
    """A variable of the reference by another letter, in task and answer."""
    told = f"{case.reference} {case.asked.text} {case.prompt} {case.params}"
    old = next((letter for letter in _VARIABLES if _letter(letter).search(str(case.reference))), None)
    new = next((letter for letter in _FRESH if not _letter(letter).search(told)), None)
    if old is None or new is None or not _letter(old).search(case.asked.text):
        return None
    renamed = _renamed({"reference": case.reference, "params": case.params, "prompt": case.prompt}, _letter(old), new)
    return case.with_text(_letter(old).sub(new, case.asked.text)).model_copy(update=renamed)


def _letter(letter: str) -> re.Pattern[str]:
    """Standing alone: no part of a word, and no command of LaTeX."""
    return re.compile(rf"(?<![A-Za-z\\]){letter}(?![A-Za-z])")


def _renamed(value: Any, old: re.Pattern[str], new: str) -> Any:
    match value:
        case str():
            return old.sub(new, value)
        case list():
            return [_renamed(item, old, new) for item in value]
        case dict():
            return {key: _renamed(item, old, new) for key, item in value.items()}
    return value


def renamed_locals(case: Case) -> Case | None:
    """A program whose functions call their own variables something else."""
    fenced = _FENCED.search(case.asked.text)
    if not fenced or _DYNAMIC.search(fenced[1]):
        return None
    try:
        tree = ast.parse(fenced[1])
    except (SyntaxError, ValueError):
        return None
    names = _own_names(tree)
    if not names:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names:
            node.id = f"{node.id}_renamed"
    text = case.asked.text
    return case.with_text(text[: fenced.start(1)] + ast.unparse(tree) + "\n" + text[fenced.end(1) :])


def _own_names(tree: ast.Module) -> set[str]:
    """Names that functions assign to, and that are nothing else anywhere: no parameter, import, function or global."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assigned, taken = set[str](), set[str]()
    for function in functions:
        assigned |= {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and _is_stored(node)}
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                taken.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                taken.update(names)
            case ast.alias(name=name, asname=other):
                taken.add((other or name).partition(".")[0])
            case ast.ExceptHandler(name=str(name)):
                taken.add(name)
            case ast.ClassDef():
                taken |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and _is_stored(inner)}
    outside = [node for statement in tree.body if statement not in functions for node in ast.walk(statement)]
    taken |= {node.id for node in outside if isinstance(node, ast.Name)}
    return assigned - taken


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


TRANSFORMATIONS: dict[str, tuple[str | None, Transformation]] = {
    "trailing_space": (None, _of_text(lambda text: text + " \n\n")),
    "crlf": (None, _of_text(lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n"))),
    "nfc": (None, _of_text(lambda text: unicodedata.normalize("NFC", text))),
    "permuted_sources": ("citation", permuted_sources),
    "renamed_variable": ("maths", renamed_variable),
    "renamed_locals": ("code", renamed_locals),
}
"""Name, by which it can be exempted -> the trait that it needs, if it needs one, and what it does."""
