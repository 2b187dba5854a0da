"""What is sent and answered in SandboxFusion's dialect. Fields that are not known are ignored, as there."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

LANGUAGES = {
    "python": "python",
    "cpp": "cpp",
    "nodejs": "javascript",
    "go": "go",
    "java": "java",
    "bash": "bash",
    "rust": "rust",
    "c": "c",
}
"""Their name of a language to ours. `c` is an addition."""

FOREIGN_LANGUAGES = frozenset({
    "go_test", "php", "csharp", "typescript", "sql", "cuda", "lua", "R", "perl", "D_ut", "ruby", "scala", "julia",
    "pytest", "junit", "kotlin_script", "jest", "verilog", "python_gpu", "lean", "swift", "racket",
})  # fmt: skip
"""Languages that the dialect knows and we have no policy for."""


class Shape(BaseModel):
    """Base of the types below: finite numbers."""

    model_config = ConfigDict(allow_inf_nan=False)


class RunStatus(StrEnum):
    """How a whole request went."""

    SUCCESS = "Success"
    """Every command ended with exit code 0."""
    FAILED = "Failed"
    """One did not, or ran out of time."""
    SANDBOX_ERROR = "SandboxError"
    """Nothing is known about the program. Clients try again."""


class CommandStatus(StrEnum):
    """How one command went."""

    FINISHED = "Finished"
    ERROR = "Error"
    TIME_LIMIT_EXCEEDED = "TimeLimitExceeded"


class CommandRunResult(Shape):
    """The compiler's or the program's end."""

    status: CommandStatus
    execution_time: float | None = None
    """Wall time in seconds."""
    return_code: int | None = None
    """Negative when a signal ended it."""
    stdout: str | None = None
    stderr: str | None = None


class RunCodeRequest(Shape):
    """`POST /run_code`."""

    code: str
    language: str
    compile_timeout: float = Field(default=10, gt=0)
    run_timeout: float = Field(default=10, gt=0)
    memory_limit_MB: int = -1
    """-1 takes the server's default."""
    stdin: str | None = None
    files: dict[str, str | None] = Field(default_factory=dict)
    """Path to content in base64; null is skipped."""
    fetch_files: list[str] = Field(default_factory=list)


class RunCodeResponse(Shape):
    """Answer to `RunCodeRequest`."""

    status: RunStatus
    message: str
    compile_result: CommandRunResult | None = None
    run_result: CommandRunResult | None = None
    executor_pod_name: str | None = None
    files: dict[str, str] = Field(default_factory=dict)


class StdioCase(Shape):
    """One test: what to put in, what has to come out."""

    input: dict[str, str]
    output: dict[str, str]


class TestConfig(Shape):
    """How a completion is to be judged."""

    __test__ = False  # no test for pytest to collect
    dataset_type: str | None = None
    language: str | None = None
    compile_timeout: float | None = Field(default=None, gt=0)
    run_timeout: float | None = Field(default=None, gt=0)
    custom_extract_logic: str | None = None
    provided_data: list[dict[str, Any]] | dict[str, Any] | None = None
    extra: dict[str, Any] = Field(default_factory=dict)


class SubmitRequest(Shape):
    """`POST /submit`."""

    dataset: str
    id: int | str
    completion: str
    config: TestConfig


class EvalTestCase(Shape):
    """How one test went."""

    passed: bool
    exec_info: RunCodeResponse
    test_info: dict[str, Any] | None = None


class EvalResult(Shape):
    """Answer to `SubmitRequest`."""

    id: int | str
    accepted: bool
    extracted_code: str
    full_code: str | None = None
    test_code: str | None = None
    tests: list[EvalTestCase]
    extracted_type: Literal["fenced", "incomplete_fenced", "heuristic", "empty"] | None = None
    extra: dict[str, Any] | None = None
