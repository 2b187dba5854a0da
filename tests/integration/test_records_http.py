"""`/v1/records` over real HTTP: found page by page, computed again, corrected and labelled, and never changed."""

import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from raw_items import raw_item

from env_server.client import RewardClient
from env_server.record_filter import RecordFilter

CANARY = "canary8f3a"


def scored(http: httpx.Client, *items: Any, **run: Any) -> list[str]:
    """Ids of the records, in the order of the items."""
    body = {"items": list(items), "run": {"id": f"run-{uuid4().hex}", **run}}
    answer = http.post("/v1/score", json=body).json()
    return [item["record_id"] for item in answer["items"]]


@pytest.fixture(scope="module")
def run(http: httpx.Client) -> str:
    """A run of three steps with four completions each, every second one right."""
    name = f"run-{uuid4().hex}"
    for step in range(3):
        items = [
            raw_item("4" if sample % 2 else "5", "echo.v1", {"answer": "4"}, group=f"g{step}", sample=sample)
            for sample in range(4)
        ]
        assert http.post("/v1/score", json={"items": items, "run": {"id": name, "step": step}}).is_success
    return name


def listed(http: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    response = http.get("/v1/records", params=query)
    assert response.is_success, response.text
    return response.json()["records"]


def test_records_are_found_by_what_is_known_of_them(http, run: str):
    assert len(listed(http, run=run)) == 12
    assert {row["step"] for row in listed(http, run=run, step=1)} == {1}
    assert [row["step"] for row in listed(http, run=run, step_min=1, order="oldest")] == [1] * 4 + [2] * 4
    assert {row["group"] for row in listed(http, run=run, group="g2")} == {"g2"}
    assert {row["reward"] for row in listed(http, run=run, reward_min=0.5)} == {1.0}
    assert len(listed(http, run=run, rewarder="odd.echo", reason="compared", status="scored")) == 12
    assert listed(http, run=run, rewarder="odd.length") == []
    (row,) = listed(http, run=run, limit=1)
    assert row["said"] == [{"rewarder": "odd.echo", "reason": "compared", "fault": False}]
    assert "completion" not in row


def test_pages_follow_each_other_while_others_are_scored(http, run: str):
    seen, cursor = [], None
    while True:
        query = {"run": run, "limit": 5, **({"cursor": cursor} if cursor else {})}
        answer = http.get("/v1/records", params=query).json()
        seen += [row["id"] for row in answer["records"]]
        scored(http, raw_item("x"))
        cursor = answer["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 12
    assert seen == sorted(seen, reverse=True)


def test_whole_records_are_given_where_they_are_asked_for(http, run: str):
    (whole,) = listed(http, run=run, limit=1, expand="true")
    assert whole == http.get(f"/v1/records/{whole['id']}").json()
    assert whole["task"]["reference"] == {"answer": "4"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1000000000"}, "limit"),
        ({"step": "-1"}, "step"),
        ({"step": "nan"}, "step"),
        ({"since": CANARY}, "since"),
        ({"kind": CANARY}, "kind"),
        ({"order": CANARY}, "order"),
        ({"cursor": CANARY}, "cursor"),
        ({"reward_min": "nan"}, "reward_min"),
        ({"run": "x" * 201}, "run"),
        ({"run": "a\x00b"}, "run"),
        ({CANARY: "1"}, None),
    ],
)
def test_a_wrong_parameter_is_named_and_not_repeated(http, query: dict[str, str], field: str | None):
    response = http.get("/v1/records", params=query)
    assert response.status_code == 422
    assert response.json().get("field") == field
    assert CANARY not in response.text


@pytest.mark.parametrize("text", ["%", "' OR 1=1 --", "_", "\u202e"])
def test_what_looks_like_a_pattern_is_a_name_like_any_other(http, run: str, text: str):
    assert listed(http, run=text) == []
    assert listed(http, reason=text) == []


def test_the_client_gives_every_record_there_is(http, run: str):
    with RewardClient(str(http.base_url)) as client:
        rows = list(client.records(RecordFilter(run=run), newest_first=False))
        assert [row["sample"] for row in rows] == [0, 1, 2, 3] * 3
        first = next(client.records(RecordFilter(run=run), expand=True))
    assert first["completion"]["text"] == "4"


def test_a_reward_computed_again_is_equal_and_the_comparison_is_on_record(http):
    right, burnt = scored(http, raw_item("so \\boxed{4}", "math.v1", {"answer": "4"}), raw_item("burn", "obeys.v1"))
    for record_id, reward in ((right, 1.0), (burnt, 0.0)):
        replay = http.post(f"/v1/records/{record_id}/recompute").json()
        assert (replay["result"], replay["old_reward"], replay["reward"]) == ("equal", reward, reward)
        (component,) = replay["components"]
        assert (component["promise"], component["evidence"], component["environment"]) == ("exact", {}, {})
        (note,) = http.get(f"/v1/records/{record_id}").json()["notes"]
        assert (note["id"], note["kind"], note["result"]) == (replay["replay_id"], "replay", "equal")
        whole = http.get(f"/v1/records/{replay['replay_id']}").json()
        assert whole["about"] == record_id
        assert whole["detail"]["components"] == replay["components"]


def test_a_dry_run_leaves_no_trace(http):
    (record_id,) = scored(http, raw_item("x"))
    before = http.get(f"/v1/records/{record_id}").json()
    replay = http.post(f"/v1/records/{record_id}/recompute", json={"dry_run": True}).json()
    assert (replay["result"], replay["replay_id"]) == ("equal", None)
    assert http.get(f"/v1/records/{record_id}").json() == before


def test_a_fault_that_was_recorded_is_nothing_to_compare_with(http):
    (record_id,) = scored(http, raw_item("raise", "obeys.v1"))
    replay = http.post(f"/v1/records/{record_id}/recompute").json()
    assert (replay["result"], replay["why"], replay["reward"]) == ("not_replayable", "faulted", None)


def test_another_version_than_the_installed_one_does_not_speak(http):
    (record_id,) = scored(http, raw_item("x"))
    asked = {"against": "9.9", "rewarder": "odd.length"}
    replay = http.post(f"/v1/records/{record_id}/recompute", json=asked).json()
    assert (replay["result"], replay["why"]) == ("not_replayable", "version_missing")
    assert replay["components"][0]["detail"] == "odd.length 9.9 is wanted, and 1.0 is installed"
    refused = http.post(f"/v1/records/{record_id}/recompute", json={"against": "9.9"})
    assert (refused.status_code, refused.json()["field"]) == (422, "rewarder")


@pytest.mark.parametrize("record_id", ["no-such-record", str(UUID(int=0)), "%2e%2e%2fetc"])
@pytest.mark.parametrize(
    ("what", "body"), [("recompute", {}), ("notes", {"kind": "invalidation"} | {"by": "a", "reason": "b"})]
)
def test_there_is_nothing_to_say_of_a_record_that_does_not_exist(http, record_id: str, what: str, body: dict):
    response = http.post(f"/v1/records/{record_id}/{what}", json=body)
    assert (response.status_code, response.json()["type"]) in [(404, "urn:assay:problem:not_found")]


def note(http: httpx.Client, record_id: str, key: str | None = None, **said: Any) -> httpx.Response:
    headers = {"idempotency-key": key} if key else {}
    return http.post(f"/v1/records/{record_id}/notes", json={"by": "ann", "reason": "seen", **said}, headers=headers)


def test_what_people_say_points_at_the_record_and_leaves_it_as_it_is(http):
    (record_id,) = scored(http, raw_item("x", group="g"), step=4)
    before = http.get(f"/v1/records/{record_id}").json()
    said = [
        {"kind": "correction", "reward": 0.25},
        {"kind": "label", "label": True},
        {"kind": "label", "label": 0.5},
        {"kind": "label", "label": "reward_hack"},
        {"kind": "invalidation"},
    ]
    made = [note(http, record_id, **one) for one in said]
    assert [response.status_code for response in made] == [201] * 5
    after = http.get(f"/v1/records/{record_id}").json()
    shown = [
        {key: value for key, value in one.items() if key not in ("id", "at", "by", "reason")} for one in after["notes"]
    ]
    assert shown == said
    assert {**after, "notes": [], "note_count": 0} == before
    (correction,) = listed(http, run=before["run"], kind="correction")
    assert (correction["about"], correction["reward"], correction["step"]) == (record_id, 0.25, 4)
    assert [row["id"] for row in listed(http, run=before["run"])] == [record_id]


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "correction"},
        {"kind": "correction", "reward": 1e9},
        {"kind": "correction", "reward": 0.5, "label": True},
        {"kind": "correction", "reward": "1"},
        {"kind": "label"},
        {"kind": "label", "label": ""},
        {"kind": "label", "label": {"x": 1}},
        {"kind": "label", "label": "x" * 201},
        {"kind": "invalidation", "reward": 0.5},
        {"kind": "erasure"},
        {"kind": "replay"},
        {"kind": "invalidation", "by": ""},
        {"kind": "invalidation", "reason": ""},
        {"kind": "invalidation", "reason": "x" * 2001},
        {"kind": "invalidation", "more": 1},
    ],
)
def test_a_note_that_says_too_little_or_too_much_is_refused(http, said: dict):
    (record_id,) = scored(http, raw_item("x"))
    assert note(http, record_id, **said).status_code == 422
    assert http.get(f"/v1/records/{record_id}").json()["notes"] == []


def test_a_reward_that_is_not_finite_is_refused(http):
    (record_id,) = scored(http, raw_item("x"))
    for number in ("NaN", "Infinity", "1e999"):
        body = f'{{"kind": "correction", "by": "a", "reason": "b", "reward": {number}}}'
        headers = {"content-type": "application/json"}
        response = http.post(f"/v1/records/{record_id}/notes", content=body, headers=headers)
        assert response.status_code in (400, 422)


def test_a_label_that_was_wrong_is_invalidated_and_nothing_is_said_of_that(http):
    (record_id,) = scored(http, raw_item("x"))
    label = note(http, record_id, kind="label", label=True).json()
    withdrawn = note(http, label["id"], kind="invalidation").json()
    assert note(http, label["id"], kind="label", label=False).status_code == 422
    assert note(http, withdrawn["id"], kind="invalidation").status_code == 422
    assert http.post(f"/v1/records/{label['id']}/recompute").status_code == 422
    assert http.get(f"/v1/records/{label['id']}").json()["notes"][0]["id"] == withdrawn["id"]


def test_a_note_that_is_sent_twice_under_one_key_is_made_once(http):
    first_id, second_id = scored(http, raw_item("x"), raw_item("y"))
    key = uuid4().hex
    first, again = (note(http, first_id, key, kind="label", label=True) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (201, first.json())
    assert len(http.get(f"/v1/records/{first_id}").json()["notes"]) == 1
    assert note(http, second_id, key, kind="label", label=True).status_code == 422, "another record, the same key"


def test_the_answers_are_as_documented(http):
    schema = http.get("/openapi.json").json()
    parameters = {one["name"] for one in schema["paths"]["/v1/records"]["get"]["parameters"]}
    assert {"run", "step", "reason", "cursor", "expand"} <= parameters
    assert {"Replay"} <= set(schema["components"]["schemas"])
    assert json.dumps(schema)
