"""What one rewarder said, as OpenTelemetry's `gen_ai.evaluation.result` event. The one place that knows its spelling.

The conventions for generative AI are still in development; see "GenAI events" there. Evidence is left out: it quotes.
"""

import time
from typing import TYPE_CHECKING

from opentelemetry import _logs
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context

if TYPE_CHECKING:
    from env_server.worker_process import Reply

EVENT = "gen_ai.evaluation.result"


def evaluation(rewarder: str, reply: "Reply") -> dict[str, str | float]:
    """The attributes of the event: the rewarder's name, and score and reason, or the kind of the fault."""
    said: dict[str, str | float] = {"gen_ai.evaluation.name": rewarder}
    if reply.verdict:
        said["gen_ai.evaluation.score.value"] = reply.verdict.score
        said["gen_ai.evaluation.score.label"] = reply.verdict.reason
    elif reply.fault:
        said["error.type"] = reply.fault.kind
    return said


def emit_evaluation(rewarder: str, reply: "Reply", context: Context) -> None:
    """Emit the event where the span of the context is; to nobody where no provider of logs is set."""
    _logs.get_logger("assay").emit(
        LogRecord(
            timestamp=time.time_ns(),
            context=context,
            severity_number=SeverityNumber.INFO,
            event_name=EVENT,
            attributes=evaluation(rewarder, reply),
        )
    )
