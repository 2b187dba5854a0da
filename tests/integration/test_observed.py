"""What an operator sees of a running server: metrics, traces, logs. And what nobody sees there."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from raw_items import raw_item
from watched_runs import until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
SECRET = "SECRET-7391"
TRACING = '[tracing]\nsetup = "traced_service"\n'
LEAKS = '[rubrics."leaks.v1"]\nparts = [{ rewarder = "odd.leaks" }]\n'
"""Raises, and quotes the reference."""


def score(url: str, *items: Any, **headers: str) -> list[dict[str, Any]]:
    answer = httpx.post(f"{url}/v1/score", json={"items": items}, headers=headers, timeout=60)
    assert answer.status_code == 200
    return answer.json()["items"]


def samples(url: str) -> dict[tuple[str, ...], float]:
    """Of /metrics: by name and the values of the labels, in the order of their names."""
    answer = httpx.get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = text_string_to_metric_families(answer.text)
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in found
        for sample in family.samples
    }


def documents(path: Path) -> list[dict[str, Any]]:
    """Whole lines of JSON: the last may be half written."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def names(path: Path) -> list[str]:
    return [span["name"] for span in documents(path) if "name" in span]


def test_metrics_tell_of_requests_verdicts_and_faults(make_server: Callable[..., Any]):
    url = make_server().url
    score(url, raw_item("x"), raw_item("raise", "obeys.v1"))
    httpx.get(f"{url}/v1/records/{SECRET}")
    httpx.get(f"{url}/{SECRET}")
    found = samples(url)
    assert found["assay_items_total", "length.v1", "scored"] == 1
    assert found["assay_items_total", "obeys.v1", "unscored"] == 1
    assert found["assay_faults_total", "RewarderFault", "odd.obeys"] == 1
    assert found["assay_http_request_duration_seconds_count", "POST", "/v1/score", "200"] == 1
    assert found["assay_http_request_duration_seconds_count", "GET", "/v1/records/{record_id}", "404"] == 1
    assert found["assay_http_request_duration_seconds_count", "GET", "", "404"] == 1
    assert found["assay_workers_alive", "workers"] == 4, "two for quick rewarders, two for slow ones"
    assert SECRET not in httpx.get(f"{url}/metrics").text


def test_any_of_several_server_processes_answers_for_all(
    make_server: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(shared))
    one, other = make_server(), make_server(data_dir=tmp_path / "other")
    score(one.url, raw_item("x"), raw_item("x"))
    score(other.url, raw_item("x"))
    samples(other.url)
    found = samples(one.url)
    assert found["assay_items_total", "length.v1", "scored"] == 3
    assert found["assay_rewarder_wall_seconds_count", "odd.length"] == 3
    assert found["assay_ledger_records_total",] == 3
    assert found["assay_workers_alive", "workers"] == 8
    assert found["assay_ready",] == 1
    other.kill()
    assert samples(one.url)["assay_items_total", "length.v1", "scored"] == 3, "what was counted stays counted"


def test_the_readiness_of_a_server_says_what_it_is_made_of(make_server: Callable[..., Any]):
    ready = httpx.get(f"{make_server().url}/readyz").json()
    assert ready["workers"]["workers"] == {"alive": 4, "wanted": 4, "waiting": 0}
    assert ready["ledger"]["waiting"] == 0
    assert ready["build"].startswith("assay ")


def test_a_request_is_one_trace_from_its_caller_to_its_record(
    make_server: Callable[..., Any], server_toml: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    spans = tmp_path / "spans.jsonl"
    monkeypatch.setenv("TRACED_SERVICE_FILE", str(spans))
    url = make_server(toml=server_toml + TRACING + LEAKS).url
    items = raw_item(SECRET), raw_item(SECRET, "leaks.v1", {"answer": SECRET})
    first, second = score(url, *items, **TRACEPARENT)
    assert (first["status"], second["status"]) == ("scored", "unscored")
    until(lambda: "POST /v1/score" in names(spans))  # a request's own span ends behind its answer
    seen = documents(spans)
    by_name = {span["name"]: span for span in seen if "name" in span}
    assert set(by_name) == {"POST /v1/score", "score", "evaluate odd.length", "evaluate odd.leaks", "ledger.append"}
    assert {span["context"]["trace_id"] for span in by_name.values()} == {f"0x{TRACE}"}
    assert by_name["POST /v1/score"]["parent_id"] == "0x00f067aa0ba902b7"
    assert by_name["score"]["parent_id"] == by_name["POST /v1/score"]["context"]["span_id"]
    assert by_name["evaluate odd.leaks"]["parent_id"] == by_name["score"]["context"]["span_id"]
    assert by_name["evaluate odd.leaks"]["status"] == {"status_code": "ERROR", "description": "RewarderFault"}
    events = {event["attributes"]["gen_ai.evaluation.name"]: event for event in seen if "event" in event}
    assert {event["event"] for event in events.values()} == {"gen_ai.evaluation.result"}
    assert events["odd.length"]["attributes"]["gen_ai.evaluation.score.label"] == "measured"
    assert events["odd.length"]["span_id"] == by_name["evaluate odd.length"]["context"]["span_id"]
    assert events["odd.leaks"]["attributes"]["error.type"] == "RewarderFault"
    assert SECRET not in spans.read_text()
    for answer in (first, second):
        assert httpx.get(f"{url}/v1/records/{answer['record_id']}").json()["trace"] == TRACE


def test_what_is_refused_or_breaks_leaves_no_text_in_a_trace(
    make_server: Callable[..., Any], server_toml: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    spans = tmp_path / "spans.jsonl"
    monkeypatch.setenv("TRACED_SERVICE_FILE", str(spans))
    url = make_server(toml=server_toml + TRACING).url
    httpx.post(f"{url}/v1/score", json={"items": SECRET})
    httpx.get(f"{url}/v1/records?limit={SECRET}")
    assert httpx.get(f"{url}/v1/records?limit={SECRET}").status_code == 422
    until(lambda: len(names(spans)) == 3)
    assert sorted(names(spans)) == ["GET /v1/records", "GET /v1/records", "POST /v1/score"]
    assert SECRET not in spans.read_text()


def test_without_an_sdk_a_trace_of_the_callers_is_on_the_record_and_none_is_made_up(make_server: Callable[..., Any]):
    url = make_server().url
    (traced,), (other,) = score(url, raw_item("x"), **TRACEPARENT), score(url, raw_item("x"))
    assert httpx.get(f"{url}/v1/records/{traced['record_id']}").json()["trace"] == TRACE
    assert "trace" not in httpx.get(f"{url}/v1/records/{other['record_id']}").json()


def test_a_module_that_sets_up_no_tracing_stops_the_start(
    make_server: Callable[..., Any], server_toml: str, capfd: pytest.CaptureFixture[str]
):
    server = make_server(toml=server_toml + '[tracing]\nsetup = "no_such_module_here"\n', started=False)
    assert server.process.wait(timeout=60) == 2
    assert "tracing.setup = 'no_such_module_here'" in capfd.readouterr().err


def test_the_log_tells_of_requests_by_id_and_never_what_was_in_them(
    make_server: Callable[..., Any], server_toml: str, capfd: pytest.CaptureFixture[str]
):
    server = make_server(toml=server_toml + '[log]\nformat = "json"\nlevel = "debug"\n')
    hostile = f"\x1b[31m{SECRET}\u202e"
    score(server.url, raw_item(hostile, reference={"answer": SECRET}), **TRACEPARENT, **{"x-request-id": "step-1"})
    httpx.post(f"{server.url}/v1/score", json={"items": SECRET}, headers={"x-request-id": f"{SECRET} {SECRET}"})
    httpx.get(f"{server.url}/v1/{SECRET}")
    assert server.stop() == 0
    said = capfd.readouterr().err
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    (scored,) = [line for line in lines if line.get("request_id") == "step-1"]
    assert (scored["route"], scored["status"], scored["trace_id"]) == ("/v1/score", 200, TRACE)
    assert [line["status"] for line in lines if line["event"] == "request"] == [200, 422, 404]
    assert [lines[0]["event"], lines[-1]["event"]] == ["serving", "stopped"]
    assert SECRET not in said
    assert "\x1b" not in said.replace("\x1b[32mready\x1b[0m", "")


def test_workers_that_are_killed_are_counted_and_replaced(make_server: Callable[..., Any]):
    server = make_server()
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    score(server.url, raw_item("x"), raw_item("x"))
    until(lambda: samples(server.url)["assay_workers_alive", "workers"] == 4)
    assert samples(server.url)["assay_workers_started_total", "workers"] >= 3
