"""Judges through the front door: the command line, HTTP, a kill in the middle."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from judge_endpoint import Asked, judge_endpoint
from raw_items import raw_item

CONFIG = """
[workers]
processes = 1
[sandbox]
backend = "off"
[judges.default]
url = "{url}"
model = "m"
timeout_s = 30
input_price = 1.0
output_price = 2.0
[calibration]
required = {required}
files = {files}
[rubrics."right.v1"]
parts = [{{ rewarder = "judge.criteria", params = {{ criteria = {{ right = "It is right." }} }} }}]
"""


def write_config(path: Path, url: str, required: bool = True, files: tuple[Path, ...] = ()) -> Path:
    listed = json.dumps([str(file) for file in files])
    path.write_text(CONFIG.format(url=url, required=str(required).lower(), files=listed))
    return path


def env_server(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "env_server", *map(str, arguments)]
    wide = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=wide)


def labelled(path: Path, count: int, mistaken: int) -> Path:
    """Half of the items good; the label of some of each kind is not what the judge will say."""
    with path.open("w") as lines:
        for number in range(count):
            good = number % 2 == 0
            said = "right" if good != (number // 2 < mistaken) else "amiss"
            item = {
                **raw_item(f"It is {said}: {number}.", "right.v1"),
                "label": good,
                "labels": [good, good, number > 3],
            }
            lines.write(json.dumps(item) + "\n")
    return path


def honest(asked: Asked) -> str:
    return asked.object(right="right" in asked.sections["ANSWER"])


def test_a_judge_is_calibrated_from_the_command_line_and_paid_from_then_on(tmp_path: Path):
    data, out = labelled(tmp_path / "data.jsonl", 240, mistaken=6), tmp_path / "calibration.json"
    items = tmp_path / "items.jsonl"
    items.write_text(json.dumps(raw_item("That is right: 5.", "right.v1")) + "\n")
    with judge_endpoint(honest) as endpoint:
        config = write_config(tmp_path / "server.toml", endpoint.url)
        before = env_server("score", items, "--config", config, cwd=tmp_path)
        done = env_server(
            "judge", "calibrate", data, "--rubric", "right.v1", "-o", out, "-c", config, "--json", cwd=tmp_path
        )
        shown = env_server("judge", "show", "--config", config, cwd=tmp_path)
        write_config(tmp_path / "server.toml", endpoint.url, files=(out,))
        after = env_server("score", items, "--config", config, cwd=tmp_path)
    assert (before.returncode, json.loads(before.stdout)["status"]) == (1, "unscored")
    assert (after.returncode, json.loads(after.stdout)["reward"]) == (0, 1.0)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    figures = {name: figure["value"] for name, figure in report["figures"].items()}
    assert (report["items"], report["enough"], report["schema"]) == (240, True, "judge.calibration/1")
    assert (report["shortcomings"], report["counts"]["good"], report["counts"]["bad"]) == ([], 120, 120)
    assert (figures["accuracy"], figures["sensitivity"], figures["specificity"]) == (0.95, 0.95, 0.95)
    assert figures["kappa"] == pytest.approx(0.9)
    assert figures["abstention"] == 0.0
    assert figures["corrected_rate"] == pytest.approx(0.5)
    assert figures["money_per_item"] == pytest.approx(0.00014)
    assert all(f["low"] <= f["value"] <= f["high"] for f in report["figures"].values() if f["value"] is not None)
    assert json.loads(out.read_text())["judges"] == report["judges"]
    assert (shown.returncode, "2 + 2 = 4" in shown.stderr + shown.stdout) == (0, True)


def test_a_judge_that_guesses_is_not_to_be_paid(tmp_path: Path):
    data = labelled(tmp_path / "data.jsonl", 220, mistaken=50)
    with judge_endpoint(honest) as endpoint:
        config = write_config(tmp_path / "server.toml", endpoint.url)
        done = env_server("judge", "calibrate", data, "--rubric", "right.v1", "--config", config, cwd=tmp_path)
    assert done.returncode == 1
    assert "only observes" in done.stdout
    assert "kappa is 0." in done.stdout
    assert "specificity is only sure to be over 0." in done.stdout


def test_a_judge_that_nobody_reaches_is_neither_good_nor_bad(tmp_path: Path):
    data = labelled(tmp_path / "data.jsonl", 4, mistaken=0)
    config = write_config(tmp_path / "server.toml", "http://127.0.0.1:9/v1")
    config.write_text(config.read_text().replace("timeout_s = 30", "timeout_s = 30\ntries = 1"))
    done = env_server("judge", "calibrate", data, "--rubric", "right.v1", "--config", config, cwd=tmp_path)
    assert (done.returncode, "not one item could be judged" in done.stderr) == (3, True)


def test_labels_that_cannot_be_read_name_their_line(tmp_path: Path):
    data = labelled(tmp_path / "data.jsonl", 4, mistaken=0)
    data.write_text(data.read_text() + '{"label": true}\n')
    config = write_config(tmp_path / "server.toml", "http://127.0.0.1:9/v1")
    done = env_server("judge", "calibrate", data, "--rubric", "right.v1", "--config", config, cwd=tmp_path)
    assert (done.returncode, "line 5" in done.stderr) == (2, True)


def test_a_service_that_is_killed_while_a_judge_is_thinking_loses_nothing_that_it_paid_for(tmp_path: Path):
    slow = threading.Event()
    thinking = threading.Event()

    def script(asked: Asked) -> str:
        if "slow" in asked.sections["ANSWER"]:
            thinking.set()
            slow.wait(90)
        return honest(asked)

    with judge_endpoint(script) as endpoint:
        config = write_config(tmp_path / "server.toml", endpoint.url, required=False)
        process, url = serve(config, tmp_path)
        try:
            assert score(url, "That is right: 5.")["reward"] == 1.0
            asking = threading.Thread(target=lost, args=(url, "It is right, and slow."))
            asking.start()
            assert thinking.wait(60)
            process.send_signal(signal.SIGKILL)
            asking.join(60)
        finally:
            slow.set()
            end(process)
        process, url = serve(config, tmp_path)
        try:
            asked = len(endpoint.requests)
            assert score(url, "It is right, and slow.")["reward"] == 1.0
            assert score(url, "That is right: 5.")["reward"] == 1.0
            assert len(endpoint.requests) == asked + 1, "the first answer was remembered, the lost one asked for again"
        finally:
            end(process)


def serve(config: Path, data: Path) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "env_server", "serve", "--json", "--port", "0"]
    command += ["--config", str(config), "--data-dir", str(data / "data")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["url"]


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(60)
    assert process.stdout is not None
    process.stdout.close()


def score(url: str, text: str) -> dict:
    answer = httpx.post(f"{url}/v1/score", json={"items": [raw_item(text, "right.v1")]}, timeout=60)
    return answer.json()["items"][0]


def lost(url: str, text: str) -> None:
    """Ask, and expect the service to go away."""
    try:
        score(url, text)
    except httpx.HTTPError:
        time.sleep(0)
