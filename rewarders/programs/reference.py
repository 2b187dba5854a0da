"""What a task says about its tests. Closed, bounded, and checked before a program runs."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from rewarders.programs.plain import NotPlain, value_of
from rewarders.programs.rewriting import call_cases, check_syntax
from rewarders.programs.scripts import MODULE
from sandboxes.fences import tags_of
from sandboxes.types import RelativePath

MAX_CASES = 10_000
MAX_TEXT_CHARS = 8 * 1024 * 1024
MAX_CODE_CHARS = 100_000
MAX_FILES_CHARS = 250_000
"""Syntax is checked when a task is taken in, which everything else waits for: tens of milliseconds for this much."""

TEST_FILE = re.compile(r"test_.*\.py|.*_test\.py")
"""Which files pytest collects; the others are there to be imported."""

RESERVED = {"main.py", f"{MODULE}.py", "order.json", "verdict.json", "tests.ini"}

Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS)]
Code = Annotated[str, Field(min_length=1, max_length=MAX_CODE_CHARS)]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
Tolerated = Annotated[float, Field(ge=0, le=1e300)]


def refused(message: str) -> PydanticCustomError:
    """An error whose message, a constant of ours, may be shown to the sender: it quotes nothing."""
    return PydanticCustomError("refused", message)


class Closed(BaseModel):
    """Base of everything here: frozen, unknown fields refused, nothing coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Tolerances(Closed):
    """How far a number may be from an expected float; the larger of the two counts. Integers stay exact."""

    abs: Tolerated = 0.0
    rel: Tolerated = 0.0


class FloatChecker(Tolerances):
    """Tokens, where expected floats are compared with a tolerance."""

    kind: Literal["float"]


class ProgramChecker(Closed):
    """A program of the task's own, run apart from the candidate beside the files `input`, `expected` and `output`.

    It exits with 0 for right and with 1 for wrong.
    """

    kind: Literal["program"]
    language: str = "python"
    source: Code


Checker: TypeAlias = Literal["exact", "tokens", "lines", "unordered_lines"] | FloatChecker | ProgramChecker


class StdioCase(Closed):
    """One input and what should be printed for it."""

    stdin: Text = ""
    stdout: Text


class StdioTests(Closed):
    """The program reads standard input and writes standard output."""

    kind: Literal["stdio"]
    cases: Annotated[tuple[StdioCase, ...], Field(strict=False, min_length=1, max_length=MAX_CASES)]
    checker: Checker = "tokens"


class CallArguments(Closed):
    """Arguments of a call and what it should return, in the notation of plain data."""

    args: Annotated[tuple[JsonValue, ...], Field(strict=False, max_length=1000)] = ()
    kwargs: dict[Identifier, JsonValue] = Field(default_factory=dict)
    expected: JsonValue

    @model_validator(mode="after")
    def _are_plain(self) -> Self:
        try:
            for value in (*self.args, *self.kwargs.values(), self.expected):
                value_of(value)
        except NotPlain as error:
            raise refused(f"a value is not in the notation of plain data: {error}") from None
        return self


class CallTests(Closed):
    """The entry point is called, once for each case, each time in a process of its own."""

    kind: Literal["call"]
    entry_point: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$", max_length=200)]
    """A function, or a class and its method, `Solution.solve`, which is called on a fresh instance."""
    cases: Annotated[tuple[CallArguments, ...], Field(strict=False, min_length=1, max_length=MAX_CASES)]
    tolerance: Tolerances | None = None


class AssertTests(Closed):
    """Asserts about the entry point: on their own, or in a `def check(candidate)`."""

    kind: Literal["asserts"]
    entry_point: Identifier
    code: Code

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        try:
            cases = call_cases(self.code, self.entry_point)
        except ValueError as error:
            raise refused(f"the asserts' code {error}") from None
        if cases == ():
            raise refused("the asserts never call the entry point, so everything would pass")
        return self


class PytestTests(Closed):
    """Test files, run by pytest apart from the candidate, which they import as a module."""

    kind: Literal["pytest"]
    files: Annotated[dict[RelativePath, Annotated[str, Field(max_length=MAX_CODE_CHARS)]], Field(max_length=100)]
    module: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\.py$", max_length=100)] = "solution.py"

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if sum(map(len, self.files.values())) > MAX_FILES_CHARS:
            raise refused(f"the files hold more than {MAX_FILES_CHARS:,} characters together")
        for path, content in self.files.items():
            if path.endswith(".py"):
                _check_file(content)
        if not any(TEST_FILE.fullmatch(PurePosixPath(path).name) for path in self.files):
            raise refused("no file is called test_*.py or *_test.py, so nothing would be collected")
        if self.module in self.files:
            raise refused("the module is the candidate's; the tests cannot bring it")
        if RESERVED & {*self.files, self.module}:
            raise refused(f"{', '.join(sorted(RESERVED))} are names of ours")
        return self


Tests: TypeAlias = Annotated[StdioTests | CallTests | AssertTests | PytestTests, Field(discriminator="kind")]


def _check_file(content: str) -> None:
    try:
        check_syntax(content)
    except ValueError as error:
        raise refused(f"a test file {error}") from None


class InLanguage(Closed):
    """The language of the program; all but `stdio` speak to Python alone."""

    language: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_+#-]{0,39}$")]

    def tests_of(self) -> tuple[Tests, ...]:
        """Every tests object here."""
        return ()

    @model_validator(mode="after")
    def _languages_fit(self) -> Self:
        if not tags_of(self.language):
            raise refused("the language is one for trusted programs")
        for tests in self.tests_of():
            if self.language != "python" and not isinstance(tests, StdioTests):
                raise refused("tests of this kind are for Python; other languages have stdio")
        return self


class Reference(InLanguage):
    """What `programs.tests` reads."""

    tests: Tests

    def tests_of(self) -> tuple[Tests, ...]:
        """The one."""
        return (self.tests,)


class HiddenReference(InLanguage):
    """What `programs.hidden` reads."""

    hidden: Tests | None = None

    def tests_of(self) -> tuple[Tests, ...]:
        """The hidden tests, if the task has some."""
        return (self.hidden,) if self.hidden else ()


class VariantsReference(InLanguage):
    """What `programs.variants` reads."""

    variants: Annotated[tuple[Tests, ...], Field(strict=False, max_length=32)] = ()

    def tests_of(self) -> tuple[Tests, ...]:
        """All variants."""
        return self.variants


class ImpossibleReference(Reference):
    """What `programs.impossible` reads."""

    impossible: bool = False
