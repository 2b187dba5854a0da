"""Who may be paid for what: calibrations, and what becomes of a judge without one."""

import asyncio
import json

import pytest
from judge_endpoint import judge_endpoint
from judge_service import REGISTRY
from raw_items import raw_item

from env_server.app import open_service
from env_server.calibrating import Judged, counts
from env_server.config import CalibrationConfig, ServiceConfig
from env_server.judges.calibrations import Calibration, Calibrations, Figure, full_params, shortcomings
from env_server.judges.labels import Labelled, read_labelled
from env_server.rubric_book import RubricBook
from env_server.schemas import ScoreResponse
from env_server.worker_process import Reply
from rewarders.errors import ConfigError
from rewarders.rubric import Rubric, combine
from rewarders.types import Completion, Component, Fault, Task, Verdict

KAPPA = {"kappa": Figure(value=0.8, low=0.7, high=0.9)}
SPECIFICITY = {"specificity": Figure(value=0.93, low=0.88, high=0.97)}
CRITERIA = {"right": "It is right."}
SPEC = REGISTRY.get("judge.criteria")


def calibration(**changes) -> Calibration:
    document = {
        "at": "2026-01-01T00:00:00+00:00",
        "rewarder": "judge.criteria",
        "version": SPEC.version,
        "params": full_params(SPEC, {"criteria": CRITERIA}),
        "judges": ("sha256:known",),
        "data_digest": "sha256:0",
        "items": 300,
        "figures": {**KAPPA, **SPECIFICITY},
        "counts": {"good": 150, "bad": 150},
        **changes,
    }
    return Calibration.model_validate(document)


def loaded(tmp_path, *ones: Calibration, **config) -> Calibrations:
    paths = [tmp_path / f"{place}.json" for place in range(len(ones))]
    for path, one in zip(paths, ones, strict=True):
        path.write_text(one.model_dump_json(by_alias=True))
    return Calibrations.load(CalibrationConfig(files=tuple(paths), **config))


def test_a_calibrated_judge_may_be_paid(tmp_path):
    known = loaded(tmp_path, calibration())
    assert known.objection(SPEC, {"criteria": CRITERIA}, {"sha256:known"}) is None
    spelled_out = {"criteria": CRITERIA, "pay": "all", "judges": ["default"]}
    assert known.objection(SPEC, spelled_out, set()) is None, "a default that is spelled out changes nothing"


@pytest.mark.parametrize(
    ("changes", "params", "identities"),
    [
        ({"items": 199}, {}, set()),
        ({"figures": {**SPECIFICITY, "kappa": Figure(value=0.59)}}, {}, set()),
        ({"figures": {**SPECIFICITY, "kappa": Figure(value=None)}}, {}, set()),
        ({"figures": {**KAPPA, "specificity": Figure(value=0.95, low=0.79, high=1.0)}}, {}, set()),
        ({"figures": {**KAPPA, "specificity": Figure(value=None)}}, {}, set()),
        ({"figures": {**KAPPA}}, {}, set()),
        ({"counts": {"good": 251, "bad": 49}}, {}, set()),
        ({"counts": {"good": 49, "bad": 251}}, {}, set()),
        ({"counts": {}}, {}, set()),
        ({"figures": {}}, {}, set()),
        ({"version": "0.9"}, {}, set()),
        ({"rewarder": "judge.answer"}, {}, set()),
        ({}, {"criteria": {"right": "It is nearly right."}}, set()),
        ({}, {"samples": 3}, set()),
        ({}, {}, {"sha256:stranger"}),
        ({}, {}, {"sha256:known", "sha256:stranger"}),
    ],
)
def test_one_that_is_not_calibrated_for_this_only_observes(tmp_path, changes, params, identities):
    known = loaded(tmp_path, calibration(**changes))
    assert "only observes" in known.objection(SPEC, {"criteria": CRITERIA, **params}, identities)


def test_a_calibration_that_does_not_suffice_says_what_it_lacks(tmp_path):
    weak = calibration(items=120, counts={"good": 100, "bad": 20})
    assert shortcomings(weak, CalibrationConfig()) == [
        "only 120 different items were judged (min_items is 200)",
        "only 20 of them are bad (min_each is 50)",
    ]
    assert "only 120 different items" in loaded(tmp_path, weak).objection(SPEC, {"criteria": CRITERIA}, set())


ROWS = [
    ("It is 42.", True), ("It is 41.", False), ("It  is\n42.", True), ("It is 41.", False), ("It is 40.", False),
]  # fmt: skip


def write_rows(path, rows):
    items = [{**raw_item(text, "j.v1"), "label": label} for text, label in rows]
    for number, item in enumerate(items):
        item["task"] = {**item["task"], "id": f"t{number}"}
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def test_a_completion_that_is_labelled_again_is_no_further_trial(tmp_path):
    data = read_labelled(write_rows(tmp_path / "rows.jsonl", ROWS))
    assert [one.completion.text for one in data.items] == ["It is 42.", "It is 41.", "It is 40."]
    assert data.repeated == 2


def test_a_completion_with_two_labels_is_named(tmp_path):
    with pytest.raises(ConfigError, match="lines 2 and 6 label the same completion differently"):
        read_labelled(write_rows(tmp_path / "rows.jsonl", [*ROWS, ("It is 41.", True)]))


@pytest.mark.parametrize(
    ("author", "own"),
    [
        (None, 0), ("", 0), ("step-100", 0), ("acme/M-1.5", 1), ("m-1.5@step-100", 1), ("m-1.51", 0), ("xm-1.5", 0),
    ],
)  # fmt: skip
def test_what_the_judges_own_model_wrote_is_counted(tmp_path, author: str | None, own: int):
    completion = Completion(text="It is 42.", policy_version=author)
    task = Task.model_validate(raw_item("", "j.v1")["task"])
    exchange = {"request": {"model": "judges/m-1.5"}, "reported": {"model": None}, "cached": True, "tokens": {}}
    reply = Reply(verdict=Verdict(score=1.0, reason="met"), models={"exchanges": [exchange]})
    judged = Judged(Labelled(task=task, completion=completion, label=True), reply)
    assert counts([judged])["own"] == own


def test_items_that_no_judge_could_be_asked_about_are_no_trial_of_either_kind():
    fault = Reply(fault=Fault(kind="JudgeFault", message="down"))
    task = Task.model_validate(raw_item("", "j.v1")["task"])
    item = Labelled(task=task, completion=Completion(text="x"), label=False)
    found = counts([Judged(item, fault)])
    assert (found["items"], found["good"], found["bad"]) == (1, 0, 0)


def test_what_is_no_judge_needs_no_calibration(tmp_path):
    for name in ("maths.equal", "model.scalar", "layout.length"):
        assert loaded(tmp_path).objection(REGISTRY.get(name), {}, set()) is None


def test_paying_untested_judges_has_to_be_asked_for_by_name(tmp_path):
    assert loaded(tmp_path, required=False).objection(SPEC, {"criteria": CRITERIA}, {"x"}) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "judge.calibration/2"}'])
def test_a_file_that_is_no_calibration_is_named(tmp_path, content: str):
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(ConfigError, match=r"c\.json is no calibration"):
        Calibrations.load(CalibrationConfig(files=(tmp_path / "c.json",)))


def rubric(*parts, **more) -> Rubric:
    return Rubric.model_validate(
        {"name": "j.v1", "parts": [{"rewarder": f"r.p{i}", **p} for i, p in enumerate(parts)], **more}
    )


def component(score: float | None, observed: str | None = None) -> Component:
    fault = Fault(kind="JudgeFault", message="down") if score is None else None
    verdict = None if score is None else Verdict(score=score, reason="said")
    return Component(rewarder="r", version="1", distribution="d", verdict=verdict, fault=fault, observed=observed)


@pytest.mark.parametrize("aggregate", ["mean", "sum"])
@pytest.mark.parametrize("score", [0.0, 1.0, None])
def test_a_part_that_only_observes_changes_nothing(aggregate: str, score: float | None):
    reward, parts = combine(rubric({}, {"weight": 3.0}, aggregate=aggregate), [component(0.5), component(score, "why")])
    assert reward == 0.5
    assert [part.contribution for part in parts] == [0.5, 0.0]


@pytest.mark.parametrize("score", [0.0, 1.0, None])
def test_a_gate_that_only_observes_is_neither_open_nor_closed(score: float | None):
    reward, parts = combine(rubric({"gate": True}, {}), [component(score, "why"), component(1.0)])
    assert reward is None
    assert [(part.gate, part.weight, part.contribution) for part in parts] == [(True, 0.0, 0.0), (False, 1.0, 0.0)]


@pytest.mark.parametrize("aggregate", ["mean", "sum"])
def test_where_nothing_is_left_to_be_paid_the_completion_is_unscored(aggregate: str):
    parts = rubric({}, {"weight": -1.0}, aggregate=aggregate)
    assert combine(parts, [component(1.0, "why"), component(1.0)])[0] is None


def test_a_closed_gate_settles_it_whatever_only_observes():
    parts = rubric({"gate": True}, {})
    assert combine(parts, [component(0.0), component(1.0, "why")])[0] == 0.0


def book(*parts) -> RubricBook:
    return RubricBook([Rubric.model_validate({"name": "j.v1", "parts": list(parts)})], REGISTRY)


JUDGE = {"rewarder": "judge.criteria", "params": {"criteria": CRITERIA}}


@pytest.mark.parametrize("opinion", [JUDGE, {"rewarder": "model.scalar"}])
def test_a_paid_check_beside_a_paid_opinion_has_to_be_a_gate(opinion):
    with pytest.raises(ConfigError, match=r"maths\.equal is paid beside an opinion and is no gate"):
        book({"rewarder": "maths.equal"}, opinion)


@pytest.mark.parametrize(
    "parts",
    [
        ({"rewarder": "maths.equal", "gate": True, "weight": 1.0}, JUDGE),
        ({"rewarder": "maths.equal", "weight": 0.0}, JUDGE),
        ({"rewarder": "maths.equal"}, {**JUDGE, "weight": -0.5}),
        ({"rewarder": "maths.equal"}, {**JUDGE, "weight": 0.0}),
        ({"rewarder": "maths.equal"}, {**JUDGE, "gate": True}),
        (JUDGE, {"rewarder": "model.scalar"}),
        (JUDGE, {"rewarder": "layout.length", "weight": -0.1}),
        (
            {**JUDGE, "gate": True, "settles_at": -0.5},
            {"rewarder": "maths.equal"},
            {"rewarder": "layout.length", "weight": -0.5},
        ),
    ],
)
def test_an_opinion_that_can_only_lower_what_a_check_passed_is_taken(parts):
    assert "j.v1" in book(*parts)


def test_a_judges_gate_that_would_forgive_a_penalty_is_refused():
    penalty = {"rewarder": "layout.length", "weight": -0.5}
    with pytest.raises(ConfigError, match=r"lift a reward that penalties can bring down to -0\.5 up to 0"):
        book({**JUDGE, "gate": True}, {"rewarder": "maths.equal"}, penalty)


def test_a_judge_never_raises_what_a_check_failed():
    parts = rubric({"gate": True, "weight": 1.0}, {"weight": 9.0})
    assert combine(parts, [component(0.0), component(1.0)])[0] == 0.0
    assert combine(parts, [component(1.0), component(0.0)])[0] == pytest.approx(0.1)


def score_one(endpoint, tmp_path, parts, **sections) -> tuple[ScoreResponse, dict]:
    judges = {"default": {"url": endpoint.url, "model": "m", "tries": 1}}
    config = ServiceConfig.model_validate({
        "workers": {"processes": 1}, "sandbox": {"backend": "off"}, "ledger": {"data_dir": tmp_path / "data"},
        "judges": judges, "rubrics": {"j.v1": {"parts": parts}}, **sections,
    })  # fmt: skip

    async def run():
        async with open_service(config) as service:
            answer = ScoreResponse.model_validate_json(await service.engine.score([raw_item("It is 42.", "j.v1")]))
            return answer, service.reader.record(answer.items[0].record_id)

    return asyncio.run(run())


def test_a_service_leaves_a_rubric_that_only_an_untested_judge_pays_unscored_and_says_why(tmp_path):
    with judge_endpoint(lambda asked: asked.object(right=True)) as endpoint:
        answer, record = score_one(endpoint, tmp_path, [JUDGE])
    (item,) = answer.items
    assert (item.status, item.reward) == ("unscored", None)
    assert "env-server judge calibrate" in item.fault.message
    (part,) = item.components
    assert (part.weight, part.verdict.score, part.contribution) == (0.0, 1.0, 0.0)
    assert record["breakdown"]["components"][0]["observed"] == part.observed


def test_an_untested_judge_that_is_a_gate_leaves_the_completion_unscored_and_says_what_to_do(tmp_path):
    paid = {"rewarder": "layout.length", "params": {"max_chars": 100}}
    with judge_endpoint(lambda asked: asked.object(right=True)) as endpoint:
        answer, _ = score_one(endpoint, tmp_path, [{**JUDGE, "gate": True}, paid])
    (item,) = answer.items
    assert (item.status, item.reward, item.fault.kind) == ("unscored", None, "JudgeFault")
    assert "judge.criteria is not calibrated" in item.fault.message
    assert "env-server judge calibrate" in item.fault.message
    assert "As judge.criteria is a gate" in item.fault.message


def test_a_service_pays_a_calibrated_judge_and_records_all_that_was_said(tmp_path):
    with judge_endpoint(lambda asked: asked.object(right=True)) as endpoint:
        _, record = score_one(endpoint, tmp_path / "first", [JUDGE])
        (exchange,) = record["instrument"][0]["models"]["exchanges"]
        path = tmp_path / "calibration.json"
        path.write_text(calibration(judges=(exchange["identity"],)).model_dump_json(by_alias=True))
        answer, _ = score_one(endpoint, tmp_path, [JUDGE], calibration={"files": [str(path)]})
        endpoint.model = "scripted-2"
        changed, _ = score_one(endpoint, tmp_path, [JUDGE], calibration={"files": [str(path)]})
    assert (answer.items[0].reward, answer.items[0].components[0].observed) == (1.0, None)
    assert (changed.items[0].reward, "other judges" in changed.items[0].components[0].observed) == (None, True)
    sent = json.loads(json.dumps(endpoint.requests[0]))
    assert exchange["request"] == sent
    assert json.loads(exchange["reply"])["nonce"] == exchange["nonce"]
