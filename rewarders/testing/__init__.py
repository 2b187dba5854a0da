"""The kit that keeps a rewarder honest: cases in a file, twelve checks, one line in a team's own tests.

    from rewarders.testing import contract

    test_quotes = contract("acme.quotes", cases="quotes.jsonl")

`cases.py` has the format of the file, `checks.py` the twelve checks. The rewarder runs in processes of its own
(`prober.py`), under its CPU budget, watched for files, sockets and programs.
"""

from rewarders.testing.cases import Case, CasesError, Suite, read_suite
from rewarders.testing.checks import CHECKS
from rewarders.testing.exam import Report, examine
from rewarders.testing.for_pytest import contract

__all__ = ["CHECKS", "Case", "CasesError", "Report", "Suite", "contract", "examine", "read_suite"]
