"""`contract()`: a rewarder's whole exam as a test, in one line of a team's own tests."""

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from rewarders.testing.checks import CHECKS
from rewarders.testing.exam import Report, examine
from rewarders.testing.nursery import Source


def contract(
    rewarder: str, *, cases: str | Path | None = None, modules: Sequence[str] = (), tools: str = ""
) -> Callable[[str], None]:
    """A pytest function, one test a check: `test_quotes = contract("acme.quotes", cases="quotes.jsonl")`.

    Args:
        rewarder: its name.
        cases: the file, relative to the test's own; `cases/NAME.jsonl` beside the package's code if not given.
        modules: where the rewarder is, if it is in no installed package: importable modules.
        tools: `module:factory` of what an async rewarder is handed; `env_server.plugin_tools:local` has a real
            sandbox. See `HandOut`.
    """
    import pytest

    here = Path(inspect.stack()[1].filename).parent
    source = Source(rewarder, load=() if modules else None, modules=tuple(modules), tools=tools)

    @cache
    def report() -> Report:
        return examine(source, here / cases if cases else None)

    @pytest.mark.parametrize("check", [check.name for check in CHECKS])
    def test(check: str) -> None:
        result = report()[check]
        lines = [result.check.demand, *(f"  {finding.row}: {finding.seen}" for finding in result.findings)]
        assert result.ok, "\n".join(lines)
        if result.exempt:
            pytest.skip(result.exempt)

    return test
