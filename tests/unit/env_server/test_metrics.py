"""What is counted, and that nobody can make up time series without end."""

import asyncio
from typing import Any

import pytest
from judge_endpoint import Asked, judge_endpoint
from prometheus_client import CollectorRegistry
from raw_items import raw_item

from env_server.observing.exposition import exposition
from env_server.observing.metrics import MOST_CODES, OTHER, Metrics
from rewarders.types import Component, Fault, RewardBreakdown, Verdict


def breakdown(*, cached: bool = False, **outcome: Any) -> RewardBreakdown:
    said = Component(
        rewarder="odd.says", version="1", distribution="d", cpu_s=0.25, wall_s=0.5, cached=cached, **outcome
    )
    reward = None if said.fault else 1.0
    return RewardBreakdown(
        task_id="t", completion_digest="d", rubric="odd.v1", rubric_digest="d", reward=reward, components=(said,)
    )


def verdict(reason: str) -> RewardBreakdown:
    return breakdown(verdict=Verdict(score=1.0, reason=reason))


def fault(kind: str) -> RewardBreakdown:
    return breakdown(fault=Fault(kind=kind, message="SECRET"))


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def series(registry: CollectorRegistry, name: str) -> int:
    return sum(sample.name == name for metric in registry.collect() for sample in metric.samples)


def test_every_item_is_counted_by_what_became_of_it():
    metrics = Metrics()
    metrics.answered([verdict("done"), verdict("done"), fault("RewarderFault")], invalid=4)
    registry = metrics.registry
    assert value(registry, "assay_items_total", rubric="odd.v1", status="scored") == 2
    assert value(registry, "assay_items_total", rubric="odd.v1", status="unscored") == 1
    assert value(registry, "assay_items_total", rubric="", status="invalid") == 4
    assert value(registry, "assay_verdicts_total", rewarder="odd.says", reason="done") == 2
    assert value(registry, "assay_faults_total", rewarder="odd.says", kind="RewarderFault") == 1
    assert value(registry, "assay_rewarder_wall_seconds_sum", rewarder="odd.says") == 1.5
    assert value(registry, "assay_rewarder_cpu_seconds_sum", rewarder="odd.says") == 0.75


def test_a_verdict_from_the_cache_says_nothing_of_how_long_it_takes():
    metrics = Metrics()
    metrics.answered([breakdown(cached=True, verdict=Verdict(score=1.0, reason="done"))])
    assert value(metrics.registry, "assay_verdicts_cached_total", rewarder="odd.says") == 1
    assert value(metrics.registry, "assay_rewarder_wall_seconds_count", rewarder="odd.says") is None


def test_a_rewarder_that_makes_up_reasons_makes_up_a_bounded_number_of_series():
    metrics = Metrics()
    metrics.answered(verdict(f"reason_{number}") for number in range(1000))
    assert series(metrics.registry, "assay_verdicts_total") == MOST_CODES + 1
    assert value(metrics.registry, "assay_verdicts_total", rewarder="odd.says", reason=OTHER) == 1000 - MOST_CODES


@pytest.mark.parametrize("kind", ["", "a b", 'x"} 1\nforged_metric 2', "\u202eevil", "x" * 65])
def test_a_kind_of_fault_that_is_no_name_is_not_repeated(kind: str):
    metrics = Metrics()
    metrics.answered([fault(kind)])
    assert value(metrics.registry, "assay_faults_total", rewarder="odd.says", kind=OTHER) == 1
    assert b"forged_metric 2" not in exposition(metrics.registry).splitlines()


def test_a_method_nobody_knows_is_no_label():
    metrics = Metrics()
    metrics.requested("BREW-7e1", "", 405, 0.1)
    labels = {"method": OTHER, "route": "", "status": "405"}
    assert value(metrics.registry, "assay_http_request_duration_seconds_count", **labels) == 1


def test_what_the_engine_does_is_counted(odd_service):
    async def run() -> CollectorRegistry:
        async with odd_service(workers={"call_timeout_s": 5.0}) as service:
            await service.engine.score([raw_item("x"), raw_item("killed", "obeys.v1"), {"task": 1}])
            service.poll.refresh(service)
            return service.metrics.registry

    registry = asyncio.run(run())
    assert value(registry, "assay_verdicts_total", rewarder="odd.length", reason="measured") == 1
    assert value(registry, "assay_faults_total", rewarder="odd.obeys", kind="RewarderFault") == 1
    assert value(registry, "assay_items_total", rubric="", status="invalid") == 1
    assert value(registry, "assay_ledger_records_total") == 2
    assert (value(registry, "assay_ledger_written_bytes_total") or 0) > 100
    assert value(registry, "assay_ledger_append_duration_seconds_count") == 1
    assert value(registry, "assay_ledger_waiting_records") == 0
    assert value(registry, "assay_workers_lost_total", pool="workers") == 3
    assert value(registry, "assay_workers_wanted", pool="workers") == 4  # two for quick rewarders, two for slow ones
    assert value(registry, "assay_ready") == 1


def test_reading_the_same_counts_twice_adds_nothing(odd_service):
    async def run() -> CollectorRegistry:
        async with odd_service() as service:
            for _ in range(3):
                await service.engine.score([raw_item("x")])
                service.poll.refresh(service)
                service.poll.refresh(service)
            return service.metrics.registry

    registry = asyncio.run(run())
    assert value(registry, "assay_ledger_records_total") == 3
    assert value(registry, "assay_ledger_commits_total") == 3


def test_a_ledger_that_cannot_be_written_counts_no_answer(odd_service, monkeypatch: pytest.MonkeyPatch):
    async def refuse(*_: object) -> None:
        raise OSError("no space")

    async def run() -> CollectorRegistry:
        async with odd_service() as service:
            monkeypatch.setattr(service.engine.ledger, "append", refuse)
            with pytest.raises(OSError, match="no space"):
                await service.engine.score([raw_item("x")])
            return service.metrics.registry

    assert series(asyncio.run(run()), "assay_items_total") == 0


def test_two_services_in_one_process_do_not_share_their_counts():
    one, other = Metrics(), Metrics()
    one.answered([verdict("done")])
    assert series(other.registry, "assay_verdicts_total") == 0


RIGHT = {"rewarder": "judge.criteria", "params": {"criteria": {"right": "It is right."}}}


def judged_service(url: str) -> dict[str, Any]:
    return {
        "judges": {"default": {"url": url, "model": "m", "tries": 1, "breaker_failures": 1, "input_price": 1e6}},
        "calibration": {"required": False},
        "rubrics": {"right.v1": {"parts": [RIGHT]}},
        "plugins": {"load": ["assay"], "modules": ["odd_rewarders"]},
        "sandbox": {"backend": "off"},
    }


def says_right(asked: Asked) -> str:
    return asked.object(right=True)


def test_what_a_judge_is_asked_and_costs_is_counted(odd_service):
    with judge_endpoint(says_right) as endpoint:

        async def run() -> CollectorRegistry:
            async with odd_service(**judged_service(endpoint.url)) as service:
                for text in ("a", "b", "b"):
                    await service.engine.score([raw_item(text, "right.v1")])
                service.poll.refresh(service)
                return service.metrics.registry

        registry = asyncio.run(run())
    assert value(registry, "assay_judge_questions_total", judge="default", answer="sent") == len(endpoint.requests)
    assert value(registry, "assay_judge_questions_total", judge="default", answer="remembered") == 1
    assert (value(registry, "assay_judge_tokens_total", judge="default") or 0) > 0
    assert (value(registry, "assay_judge_cost_total", judge="default") or 0) > 0
    assert value(registry, "assay_endpoint_open", endpoint="judges.default") == 0
    assert value(registry, "assay_endpoint_requests", endpoint="judges.default") == 0


def test_a_judge_that_is_left_alone_is_seen(odd_service):
    async def run() -> CollectorRegistry:
        async with odd_service(**judged_service("http://127.0.0.1:9/v1")) as service:
            await service.engine.score([raw_item("a", "right.v1")])
            service.poll.refresh(service)
            return service.metrics.registry

    registry = asyncio.run(run())
    assert value(registry, "assay_endpoint_open", endpoint="judges.default") == 1
    assert value(registry, "assay_judge_cost_total", judge="default") == 0
    assert value(registry, "assay_items_total", rubric="right.v1", status="unscored") == 1
