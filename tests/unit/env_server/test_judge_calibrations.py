"""Who may be paid for what: calibrations, and what becomes of a judge without one."""

import asyncio
import json

import pytest
from judge_endpoint import judge_endpoint
from judge_service import REGISTRY
from raw_items import raw_item

from env_server.app import open_service
from env_server.config import CalibrationConfig, ServiceConfig
from env_server.judges.calibrations import Calibration, Calibrations, Figure, full_params
from env_server.rubric_book import RubricBook
from env_server.schemas import ScoreResponse
from rewarders.errors import ConfigError
from rewarders.rubric import Rubric, combine
from rewarders.types import Component, Fault, Verdict

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
        "figures": {"kappa": Figure(value=0.8, low=0.7, high=0.9)},
        "counts": {},
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
        ({"figures": {"kappa": {"value": 0.59}}}, {}, set()),
        ({"figures": {"kappa": {"value": None}}}, {}, set()),
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


def test_a_gate_that_only_observes_is_open():
    assert combine(rubric({"gate": True}, {}), [component(0.0, "why"), component(1.0)])[0] == 1.0


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
    ],
)
def test_an_opinion_that_can_only_lower_what_a_check_passed_is_taken(parts):
    assert "j.v1" in book(*parts)


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
