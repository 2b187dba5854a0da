"""Spans by OpenTelemetry's API. Where the operator set up no SDK none is made, and next to nothing is spent.

A span holds no message of an exception, and an event no evidence: both may quote what was scored.
"""

import asyncio
import importlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry import propagate, trace
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.util.types import AttributeValue

from env_server.observing.evaluation_events import emit_evaluation
from env_server.observing.settings import TracingConfig
from rewarders.errors import ConfigError, boundary

if TYPE_CHECKING:
    from env_server.worker_process import Reply

_tracer = trace.get_tracer("assay")
_NS = 1_000_000_000


def set_up(config: TracingConfig) -> None:
    """Import the operator's module. Raises ConfigError: it cannot be."""
    if config.setup:
        with boundary(ConfigError, f"importing tracing.setup = {config.setup!r}", quote=True):
            importlib.import_module(config.setup)


def trace_id() -> str | None:
    """Of the trace that what happens here belongs to, 32 hexadecimal digits."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


@contextmanager
def request_span(method: str, headers: Mapping[str, str]) -> Iterator[Span | None]:
    """The span of a request, in the trace of whoever sent it. Without an SDK only the trace is known."""
    if _is_set_up():
        parent = propagate.extract(headers)
        with _span(method, {"http.request.method": method}, SpanKind.SERVER, parent) as span:
            yield span
    elif "traceparent" in headers:
        token = attach(propagate.extract(headers))
        try:
            yield None
        finally:
            detach(token)
    else:
        yield None


@contextmanager
def span(name: str, **attributes: AttributeValue | None) -> Iterator[None]:
    """A part of what is being traced, if something is."""
    if not trace.get_current_span().is_recording():
        yield
        return
    known = {key: value for key, value in attributes.items() if value is not None}
    with _span(name, {f"assay.{key}": value for key, value in known.items()}):
        yield


def watch_calls(rewarders: Iterable[str], answers: "Sequence[asyncio.Future[Reply]]") -> None:
    """A span, and an event, for each call once it is answered; it begins when the call was dispatched."""
    parent = get_current()
    if trace.get_current_span(parent).is_recording():
        for rewarder, answer in zip(rewarders, answers, strict=True):
            answer.add_done_callback(partial(_called, rewarder, parent))


def _called(rewarder: str, parent: Context, answer: "asyncio.Future[Reply]") -> None:
    if answer.cancelled() or answer.exception():
        return
    reply, ended = answer.result(), time.time_ns()
    began = ended - int(reply.wall_s * _NS)
    attributes: dict[str, AttributeValue] = {"assay.rewarder": rewarder, "assay.cpu_s": reply.cpu_s}
    span = _tracer.start_span(f"evaluate {rewarder}", parent, start_time=began, attributes=attributes)
    if reply.fault:
        span.set_status(StatusCode.ERROR, reply.fault.kind)
    emit_evaluation(rewarder, reply, trace.set_span_in_context(span, parent))
    span.end(ended)


@contextmanager
def _span(
    name: str,
    attributes: Mapping[str, AttributeValue],
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
) -> Iterator[Span]:
    with _tracer.start_as_current_span(
        name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        ended_well = False
        try:
            yield span
            ended_well = True
        finally:
            if not ended_well:
                span.set_status(StatusCode.ERROR)


def _is_set_up() -> bool:
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
