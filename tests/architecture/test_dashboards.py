"""Board and alerts ask for what there is: metrics, labels, and expressions that Prometheus' own tool can read."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from env_server.observing.metrics import Metrics
from env_server.observing.polling import Poll

DOCS = Path(__file__).parents[2] / "docs"
BOARD: dict[str, Any] = json.loads((DOCS / "grafana.json").read_text("utf-8"))
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((DOCS / "alerts.yml").read_text("utf-8"))["groups"] for rule in group["rules"]
]
OPERATING = (DOCS / "operating.md").read_text("utf-8")
SELECTOR = re.compile(r"\b(assay_[a-z0-9_]+)(?:\{([^}]*)\})?")
SCRAPED = {"instance", "job"}
"""Labels that Prometheus adds."""
promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="NOT CHECKED BY PROMETHEUS ITSELF: apt install prometheus"
)


def exposed() -> dict[str, set[str]]:
    """Every series that a service can expose, with its labels."""
    metrics = Metrics()
    Poll(metrics.registry)
    return dict(_series(metrics.registry))


def _series(registry: CollectorRegistry) -> Iterator[tuple[str, set[str]]]:
    for collector in set(registry._collector_to_names):
        labels = set(collector._labelnames)
        kind, name = collector._type, collector._name
        if kind == "histogram":
            yield f"{name}_bucket", labels | {"le"}
            yield f"{name}_count", labels
            yield f"{name}_sum", labels
        else:
            yield name + ("_total" if kind == "counter" else ""), labels


def panels() -> list[dict[str, Any]]:
    return [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    queries = [variable["definition"] for variable in BOARD["templating"]["list"] if variable["type"] == "query"]
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [*queries, *shown, *(rule["expr"] for rule in RULES)]


@pytest.mark.parametrize("expression", expressions(), ids=lambda text: re.sub(r"\s+", " ", text)[:60])
def test_an_expression_names_metrics_and_labels_that_exist(expression: str):
    known = exposed()
    for name, matchers in SELECTOR.findall(expression):
        assert name in known
        used = re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", matchers)
        assert set(used) <= known[name] | SCRAPED
    grouped = {
        label.strip() for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for label in labels.split(",")
    }
    assert grouped <= set().union(*known.values()) | SCRAPED


def test_every_metric_is_shown_or_alerted_of():
    named = {
        re.sub(r"_(bucket|count|sum|total)$", "", name) for text in expressions() for name, _ in SELECTOR.findall(text)
    }
    families = {re.sub(r"_(bucket|count|sum|total)$", "", name) for name in exposed()}
    assert families - named == {"assay_build_info", "assay_start_time_seconds"}


def test_the_board_is_one_that_loads():
    assert BOARD["schemaVersion"] >= 39
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["title"]
        assert [target["refId"] for target in panel["targets"]] == [*"ABCDEF"[: len(panel["targets"])]]


def test_no_panel_lies_on_another():
    cells = [
        (x, y)
        for panel in BOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_waits_says_how_grave_it_is_and_is_explained(rule: dict[str, Any]):
    assert rule["for"]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    assert f"`{rule['alert']}`" in OPERATING


@promtool
def test_prometheus_reads_the_alerts_and_they_fire(tmp_path: Path):
    said = subprocess.run(
        ["promtool", "check", "rules", DOCS / "alerts.yml"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
    cases = tmp_path / "cases.yml"
    cases.write_text(yaml.safe_dump({"rule_files": [str(DOCS / "alerts.yml")], "tests": [UNWELL]}))
    said = subprocess.run(["promtool", "test", "rules", cases], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def _steady(series: str, each_minute: float) -> dict[str, str]:
    return {"series": series, "values": f"0+{each_minute}x40"}


def _always(series: str, value: float) -> dict[str, str]:
    return {"series": series, "values": f"{value}x40"}


UNWELL: dict[str, Any] = {
    "interval": "1m",
    "input_series": [
        _always('up{job="assay", instance="gone"}', 0),
        _always('assay_ready{instance="a"}', 0),
        _always('assay_limited{instance="a"}', 1),
        _always('assay_http_requests{instance="stuck"}', 12),
        _always('assay_items_total{instance="stuck", rubric="r", status="scored"}', 5),
        _steady('assay_items_total{instance="a", rubric="r", status="scored"}', 60),
        _steady('assay_items_total{instance="a", rubric="r", status="unscored"}', 40),
        _steady('assay_items_total{instance="a", rubric="", status="invalid"}', 30),
        _steady('assay_faults_total{rewarder="x.y", kind="JudgeFault"}', 60),
        _steady('assay_verdicts_total{rewarder="x.y", reason="too_costly"}', 60),
        _steady('assay_verdicts_total{rewarder="x.y", reason="equal"}', 60),
        _steady('assay_http_request_duration_seconds_count{instance="a", route="/v1/score", status="503"}', 60),
        _steady('assay_http_request_duration_seconds_count{instance="a", route="/v1/score", status="500"}', 1),
        _always('assay_queue_length{instance="a", queue="calls"}', 9),
        _always('assay_queue_limit{instance="a", queue="calls"}', 10),
        _always('assay_ledger_lag_seconds{instance="a"}', 7),
        _steady('assay_ledger_commit_seconds_total{instance="a"}', 59),
        _always('assay_workers_alive{instance="a", pool="workers"}', 1),
        _always('assay_workers_wanted{instance="a", pool="workers"}', 2),
        _steady('assay_workers_lost_total{instance="a", pool="workers"}', 60),
        _always('assay_sandbox_ready{instance="a", backend="remote"}', 0),
        _always('assay_sandbox_ready{instance="b", backend="off"}', 0),
        _always('assay_endpoint_open{instance="a", endpoint="judges.j"}', 1),
        _steady('assay_rewarder_wall_seconds_bucket{rewarder="x.y", le="30"}', 1),
        _steady('assay_rewarder_wall_seconds_bucket{rewarder="x.y", le="100"}', 60),
        _steady('assay_rewarder_wall_seconds_bucket{rewarder="x.y", le="+Inf"}', 60),
    ],
    "promql_expr_test": [
        {"expr": f'count(ALERTS{{alertname="{rule["alert"]}", alertstate="firing"}})', "eval_time": "35m",
         "exp_samples": [{"labels": "{}", "value": 1}]}
        for rule in RULES
    ],
}  # fmt: skip
"""A service that has every trouble at once: each alert fires, and fires once."""
