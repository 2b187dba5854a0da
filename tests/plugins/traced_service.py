"""What an operator would write: OpenTelemetry's providers, exporting here into the file that the test names."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

FILE = Path(os.environ["TRACED_SERVICE_FILE"])


def write(document: dict[str, Any]) -> None:
    with FILE.open("a") as file:
        file.write(json.dumps(document) + "\n")


class Spans(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            write(json.loads(span.to_json(indent=None)))
        return SpanExportResult.SUCCESS


class Events(LogRecordExporter):
    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        for entry in batch:
            record = entry.log_record
            known = {"event": record.event_name, "attributes": dict(record.attributes or {})}
            write({**known, "body": str(record.body), "span_id": f"0x{record.span_id:016x}"})
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is held open."""

    def force_flush(self, timeout_millis: int = 0) -> bool:
        """Nothing is kept back."""
        return True


spans = TracerProvider()
spans.add_span_processor(SimpleSpanProcessor(Spans()))
trace.set_tracer_provider(spans)
events = LoggerProvider()
events.add_log_record_processor(SimpleLogRecordProcessor(Events()))
_logs.set_logger_provider(events)
