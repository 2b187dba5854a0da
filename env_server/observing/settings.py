"""`[log]` and `[tracing]`: what an operator is told, and how."""

from typing import Annotated, Literal

from pydantic import Field

from env_server.section import Section


class LogConfig(Section):
    """`[log]`: what is said on standard error. Never any text of a task or a completion."""

    format: Literal["console", "json"] = "console"
    """`json` writes one JSON object a line, in ASCII."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """`info` tells of requests that were refused or that failed; `debug` of each one."""


class TracingConfig(Section):
    """`[tracing]`: spans of OpenTelemetry. Assay brings its API alone; what becomes of the spans is up to you."""

    setup: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")] | None = None
    """Module that the server imports when it starts, and that sets OpenTelemetry's providers. Without one, nothing is
    traced."""
