"""What a rubric may ask of the program rewarders."""

from typing import Annotated, Literal

from pydantic import Field

from rewarders.programs.reference import Closed
from sandboxes.types import Limits


class Params(Closed):
    """Settings of `programs.tests` and its companions."""

    score: Literal["all", "fraction"] = "all"
    """`all` pays 1 for passing every test and stops at the first that fails; `fraction` pays the share that passes."""
    limits: Limits = Limits(wall_s=5.0, cpu_s=4.0)
    """Of one run: a single test where tests are run one by one (`stdio`, `call`, most `asserts`), else all of them.

    The wall clock is close to the CPU time because waiting is no work: time without a free CPU is given back.
    """
    submission_wall_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """For all tests of a program together. What has not been run by then counts as failed."""
    bare: bool = True
    """Take a completion without any fence as the program."""
    max_code_bytes: Annotated[int, Field(ge=1, le=4 * 1024 * 1024)] = 256 * 1024
