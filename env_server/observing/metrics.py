"""What is counted while requests are answered.

A component costs one addition and two observations, some microseconds. Every label is from a closed list: routes,
rubrics and rewarders are configured, and of the codes that a rewarder can make up only so many are told apart.
"""

import re
from collections import Counter as Tally
from collections.abc import Callable, Iterable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rewarders.types import Component, RewardBreakdown

OTHER = "other"
_CODE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
MOST_CODES = 64
"""Reasons, or kinds of faults, that are told apart for one rewarder."""
_CALL_S = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_REQUEST_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
_COMMIT_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Coded:
    """Children of a counter by rewarder and code. Whoever makes up codes does not make up time series without end."""

    def __init__(self, counter: Counter) -> None:
        self._child: Callable[[str, str], Counter] = counter.labels
        self._known: dict[tuple[str, str], Counter] = {}
        self._codes = Tally[str]()

    def of(self, rewarder: str, code: str) -> Counter:
        """The child of this code, or of `other`."""
        child = self._known.get((rewarder, code))
        return child if child is not None else self._new(rewarder, code)

    def _new(self, rewarder: str, code: str) -> Counter:
        if self._codes[rewarder] >= MOST_CODES or not _CODE.fullmatch(code):
            return self._child(rewarder, OTHER)
        self._codes[rewarder] += 1
        child = self._known[rewarder, code] = self._child(rewarder, code)
        return child


class Metrics:
    """Of one service. Nothing is global: two services in a process have two of these."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        requests = Histogram(
            "assay_http_request_duration_seconds", "From the first byte of the head to the last of the answer.",
            ("method", "route", "status"), registry=registry, buckets=_REQUEST_S,
        )  # fmt: skip
        items = Counter(
            "assay_items", "Items answered, by what became of them.", ("rubric", "status"), registry=registry
        )
        wall = Histogram(
            "assay_rewarder_wall_seconds", "Wall-clock time of one call, from dispatch.", ("rewarder",),
            registry=registry, buckets=_CALL_S,
        )  # fmt: skip
        cpu = Histogram(
            "assay_rewarder_cpu_seconds", "CPU time of one call, its sandbox's included.", ("rewarder",),
            registry=registry, buckets=_CALL_S,
        )  # fmt: skip
        cached = Counter(
            "assay_verdicts_cached", "Verdicts that were not computed again.", ("rewarder",), registry=registry
        )
        verdicts = Counter("assay_verdicts", "Verdicts, by reason.", ("rewarder", "reason"), registry=registry)
        faults = Counter("assay_faults", "Failures of ours, by kind.", ("rewarder", "kind"), registry=registry)
        self._requests: Callable[[str, str, str], Histogram] = cache(requests.labels)
        self._items: Callable[[str, str], Counter] = cache(items.labels)
        self._wall: Callable[[str], Histogram] = cache(wall.labels)
        self._cpu: Callable[[str], Histogram] = cache(cpu.labels)
        self._cached: Callable[[str], Counter] = cache(cached.labels)
        self._verdicts, self._faults = _Coded(verdicts), _Coded(faults)
        self.under_way = Gauge(
            "assay_http_requests", "Requests under way.", registry=registry, multiprocess_mode="livesum"
        )
        self.append_s = Histogram(
            "assay_ledger_append_duration_seconds", "How long records took to become durable, queueing included.",
            registry=registry, buckets=_COMMIT_S,
        )  # fmt: skip

    def answered(self, breakdowns: Iterable[RewardBreakdown], invalid: int = 0) -> None:
        """Items were scored, or left unscored; so many more were refused."""
        for breakdown in breakdowns:
            self._items(breakdown.rubric, "unscored" if breakdown.reward is None else "scored").inc()
            for component in breakdown.components:
                self._said(component)
        if invalid:
            self._items("", "invalid").inc(invalid)  # what they called their rubric is not ours to repeat

    def requested(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; the route is a template, or empty."""
        self._requests(method if method in _METHODS else OTHER, route, str(status)).observe(seconds)

    def _said(self, component: Component) -> None:
        name = component.rewarder
        if component.verdict is not None:
            self._verdicts.of(name, component.verdict.reason).inc()
        elif component.fault is not None:
            self._faults.of(name, component.fault.kind).inc()
        if component.cached:
            self._cached(name).inc()
        else:
            self._wall(name).observe(component.wall_s)
            self._cpu(name).observe(component.cpu_s)
