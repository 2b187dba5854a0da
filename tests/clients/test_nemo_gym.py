"""Rollouts of NeMo Gym 0.4 itself: its collector, agent, models, HTTP client, and the server of examples/dialects/."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

PROGRAM = Path(__file__).parent / "gym_collection.py"


def row(said: str, **fields: Any) -> dict[str, Any]:
    """A task to which the model says this."""
    return {"responses_create_params": {"input": [{"role": "user", "content": said}]}, **fields}


def collect(folder: Path, verify_url: str, *rows: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    (folder / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    command = [sys.executable, str(PROGRAM), str(folder), verify_url]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def lines(path: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted(found, key=lambda one: one["_ng_task_index"])


def mean_reward(folder: Path) -> float:
    (agent,) = json.loads((folder / "rollouts_aggregate_metrics.json").read_text())
    mean: float = agent["key_metrics"]["mean/reward"]
    return mean


def test_rollouts_of_nemo_gym_have_the_rewards_of_the_service(url: str, tmp_path: Path):
    rows = [row("It is 4", expected_answer="4"), row("It is 5", expected_answer="4", kept={"deep": [None, 1.5]})]
    done = collect(tmp_path, f"{url}/nemo-gym/math.v1/verify", *rows)
    assert done.returncode == 0, done.stderr
    right, wrong = lines(tmp_path / "rollouts.jsonl")
    assert [(one["reward"], one["reward_components"]) for one in (right, wrong)] == [
        (reward, {"maths.equal": reward}) for reward in (1.0, 0.0)
    ]
    assert wrong["kept"] == {"deep": [None, 1.5]}
    assert wrong["response"]["output"][-1]["generation_log_probs"] == [-0.5]
    assert lines(tmp_path / "rollouts_failures.jsonl") == []
    assert mean_reward(tmp_path) == 0.5


def test_what_nemo_gyms_agent_did_is_on_the_record(url: str, tmp_path: Path):
    collect(tmp_path, f"{url}/nemo-gym/length.v1/verify?run=gym", row("x"))
    (rollout,) = lines(tmp_path / "rollouts.jsonl")
    record = httpx.get(f"{url}/v1/records/{rollout['assay_record_id']}").json()
    assert (record["run"], record["task"]["prompt"]) == ("gym", [{"role": "user", "content": "x"}])
    thought, call, result, said = record["completion"]["messages"]
    assert (thought["content"], said["content"]) == ("a tool may know", "x")
    assert (call["tool_calls"][0]["function"]["name"], result["role"]) == ("recall", "tool")


def test_a_rollout_of_nemo_gym_that_we_fail_to_score_is_a_failure_and_in_no_mean(url: str, tmp_path: Path):
    done = collect(tmp_path, f"{url}/nemo-gym/obeys.v1/verify", row("raise"), row("fine"))
    assert done.returncode == 0, done.stderr
    (scored,) = lines(tmp_path / "rollouts.jsonl")
    (failed,) = lines(tmp_path / "rollouts_failures.jsonl")
    assert (scored["reward"], failed["_ng_failure_class"]) == (1.0, "verifier_error")
    assert mean_reward(tmp_path) == 1.0


def test_a_refused_rollout_stops_nemo_gyms_collection(refusing_url: str, tmp_path: Path):
    done = collect(tmp_path, f"{refusing_url}/nemo-gym/obeys.v1/verify", row("raise"))
    assert done.returncode != 0
    assert "ClientResponseError: 500" in done.stderr
    assert lines(tmp_path / "rollouts.jsonl") == lines(tmp_path / "rollouts_failures.jsonl") == []
