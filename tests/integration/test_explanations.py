"""Explanations over HTTP and from the command line."""

import json
import subprocess
import sys
from pathlib import Path

from raw_items import raw_item


def test_an_answer_explains_itself_if_asked_and_the_record_always_does(http):
    item = raw_item("so it is \\boxed{4}", "reasoning.v1", {"answer": "4"})
    asked = http.post("/v1/score", json={"items": [item], "explain": True}).json()["items"][0]
    unasked = http.post("/v1/score", json={"items": [item]}).json()["items"][0]
    assert asked["explanation"].startswith("1 for maths.equal (equal), set to 0 by gate layout.tags: ")
    assert unasked["explanation"] is None
    assert http.get(f"/v1/records/{unasked['record_id']}").json()["explanation"] == asked["explanation"]


def test_an_explanation_that_is_neither_asked_for_nor_declined_is_refused(http):
    answer = http.post("/v1/score", json={"items": [], "explain": "yes"})
    assert (answer.status_code, answer.json()["field"]) == (422, "explain")


def test_a_request_for_an_explanation_is_another_request_under_its_key(http):
    item, key = raw_item("x", "math.v1", {"answer": "4"}), {"idempotency-key": "explained"}
    assert http.post("/v1/score", json={"items": [item]}, headers=key).status_code == 200
    assert http.post("/v1/score", json={"items": [item], "explain": True}, headers=key).status_code == 422


def test_score_explains_each_result_if_asked(tmp_path: Path):
    (tmp_path / "items.jsonl").write_text(json.dumps(raw_item("It is 5.", "math.v1", {"answer": "4"})) + "\n")
    command = [sys.executable, "-m", "env_server", "score", "items.jsonl", "--explain", "--run", "r", "--step", "3"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["explanation"] == "0 for maths.equal (wrong)"


def test_a_step_without_a_run_is_refused(tmp_path: Path):
    (tmp_path / "items.jsonl").write_text("")
    command = [sys.executable, "-m", "env_server", "score", "items.jsonl", "--step", "3"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--step is 3, and --run is not given" in done.stderr
