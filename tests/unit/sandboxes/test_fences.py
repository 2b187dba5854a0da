import pytest

from sandboxes.fences import Extracted, Where, blocks, extract, tags_of

PYTHON = tags_of("python")


def code(text: str, **options: bool) -> str | None:
    found = extract(text, PYTHON, **options)
    return found.code if found else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\na\n```", "a\n"),
        ("~~~py\na\n~~~", "a\n"),
        ("```Python3\na\n```", "a\n"),
        ("``` python title=x\na\n```", "a\n"),
        ("```{.python}\na\n```", "a\n"),
        ("```python\r\na\r\nb\r\n```\r\n", "a\nb\n"),
        ("```python\na\n```\nand\n```python\nb\n```\nbye", "b\n"),
        ("```python\na\n```\noutput:\n```\n42\n```", "a\n"),
        ("```\na\n```\n```\nb\n```", "b\n"),
        ("```\nb\n```\n```sh\nls\n```", "b\n"),
        ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''\n"),
        ("```python\n~~~\na\n~~~~\n```", "~~~\na\n~~~~\n"),
        ("   ```python\n   a\n     b\n   ```", "a\n  b\n"),
        ("```python\n    ```\na\n```", "    ```\na\n"),
        ("```python\na\n``` python\nb\n```", "a\n``` python\nb\n"),
        ("```python\na\n`````", "a\n"),
        ("```python\na", "a"),
        ("use ```python\na\n```\n", None),
        ("```python `x`\na\n", None),
        ("10. So:\n    ```python\n    a\n      b\n    ```\nbye", "a\n  b\n"),
        ("- So:\n\t```python\n\ta\n\t```\nbye", "a\n"),
        ("```sh\nls\n```", None),
        ("```python\n \n```", None),
        ("", None),
        ("print(1)", "print(1)"),
    ],
)
def test_the_last_block_of_the_language_is_the_program(text: str, expected: str | None):
    assert code(text) == expected


def test_a_bare_text_is_the_program_only_where_that_is_allowed():
    assert code("print(1)", bare=False) is None
    assert extract("print(1)", PYTHON) == Extracted("print(1)", Where.BARE, complete=False)


def test_a_block_that_never_closes_is_known_to_be_incomplete():
    assert extract("```python\na\n```\n```python\nb", PYTHON) == Extracted("b", Where.TAGGED, complete=False)
    assert extract("```python\na\n```\n```sh\nb", PYTHON) == Extracted("a\n", Where.TAGGED, complete=True)
    assert extract("```python", PYTHON) is None


def test_an_untagged_block_never_wins_over_a_tagged_one():
    assert extract("```\na\n```\n```python\nb\n```\n```\nc\n```", PYTHON) == Extracted("b\n", Where.TAGGED, True)


def test_blocks_tell_their_language_and_whether_they_close():
    assert [(b.tag, b.text, b.closed) for b in blocks("```c\n1\n```\n~~~\n2")] == [("c", "1\n", True), ("", "2", False)]


def test_languages_are_called_what_their_policies_say():
    assert tags_of("cpp") >= {"cpp", "c++"}
    assert tags_of("javascript") >= {"javascript", "js"}
    assert tags_of("cobol") == {"cobol"}


def test_a_policy_for_trusted_programs_has_no_tags():
    assert tags_of("pytest") == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "`" * 2_000_000,
        "```\n" * 300_000,
        "~" * 1_000_000 + "\n" + "`" * 1_000_000,
        "```python\n" + " " * 2_000_000,
        " ```" * 500_000,
        " " * 1_000_000 + "```\n" + "```\n" * 200_000,
    ],
    ids=["one long fence", "many fences", "two long fences", "spaces", "fences in a line", "indented far"],
)
def test_a_hostile_text_costs_no_more_than_its_length(text: str):
    extract(text, PYTHON)
