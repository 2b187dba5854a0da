"""Rubrics in a service: the ledger knows them by name for ever, schedules follow the run, and rewards are explained."""

import asyncio
import json
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from raw_items import raw_item

from env_server.config import ServiceConfig, load_config
from env_server.explaining import explained_record
from env_server.ledger.opening import open_to_write
from env_server.ledger.place import Place
from env_server.ledger.rubrics import recorded_rubric, remember_rubrics
from env_server.rubric_book import RubricBook
from env_server.schemas import Run, ScoreResponse
from rewarders import Rubric
from rewarders.errors import ConfigError
from rewarders.registry import Registry


def paying(weight: float) -> Rubric:
    return Rubric.model_validate(
        {"name": "x.v1", "parts": [{"rewarder": "odd.length", "weight": weight}, {"rewarder": "odd.length"}]}
    )


def served(opened, rubric: dict, *steps: int | None):
    async def run():
        async with opened(rubrics={"x.v1": rubric}) as service:
            answers = []
            for step in steps or (None,):
                said = await service.engine.score([raw_item("x" * 50, "x.v1")], Run(id="r", step=step), explain=True)
                (item,) = ScoreResponse.model_validate_json(said).items
                answers.append((item, explained_record(service.reader, item.record_id)))
            return answers

    return asyncio.run(run())


def test_a_rubric_that_changed_under_its_name_stops_the_start_and_says_what_to_do(odd_service):
    served(odd_service, {"parts": [{"rewarder": "odd.length"}]})
    with pytest.raises(ConfigError, match=r"rubric x\.v1 \(in the configuration\) is not the one") as refused:
        served(odd_service, {"parts": [{"rewarder": "odd.length", "threshold": 0.6}]})
    assert "x.v2" in refused.value.hint


def test_a_rubric_whose_description_changed_is_still_the_same(odd_service):
    served(odd_service, {"parts": [{"rewarder": "odd.length"}]})
    ((item, _),) = served(odd_service, {"description": "half", "parts": [{"rewarder": "odd.length", "weight": 1.0}]})
    assert item.reward == 0.5


def test_the_ledger_gives_back_the_rubric_that_was_served(tmp_path: Path):
    place = Place(tmp_path)
    remember_rubrics(place, [paying(1.0)])
    with open_to_write(place).connect() as connection:
        document = recorded_rubric(connection, "x.v1")
        assert recorded_rubric(connection, "y.v1") is None
    assert document is not None
    assert Rubric.model_validate_json(document).digest == paying(1.0).digest


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_services_that_start_at_once_with_different_rubrics_of_one_name_only_one_kind_starts(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
):
    url = request.getfixturevalue("postgres").make_database() if database == "postgresql" else None
    place = Place(tmp_path, url)
    open_to_write(place).dispose()
    others = [Rubric.model_validate({"name": f"o{n}.v1", "parts": [{"rewarder": "odd.length"}]}) for n in range(20)]

    def start(weight: float) -> float | None:
        try:
            remember_rubrics(place, [*others, paying(weight)] if weight == 1 else [paying(weight), *reversed(others)])
        except ConfigError:
            return None
        return weight

    with ThreadPoolExecutor(6) as starting:
        started = {weight for weight in starting.map(start, [1.0, 2.0] * 6) if weight}
    assert len(started) == 1


def test_a_refused_start_leaves_nothing_of_its_other_rubrics(tmp_path: Path):
    remember_rubrics(Place(tmp_path), [paying(1.0)])
    other = Rubric.model_validate({"name": "new.v1", "parts": [{"rewarder": "odd.length"}]})
    with pytest.raises(ConfigError):
        remember_rubrics(Place(tmp_path), [paying(2.0), other])
    with open_to_write(Place(tmp_path)).connect() as connection:
        assert recorded_rubric(connection, "new.v1") is None


def test_weights_follow_the_step_of_the_run_and_the_record_says_which_they_were(odd_service):
    scheduled = {"parts": [{"rewarder": "odd.length"}, {"rewarder": "odd.length", "weight": [[0, 0.0], [100, 1.0]]}]}
    answers = served(odd_service, scheduled, None, 0, 50, 200)
    assert [item.components[1].weight for item, _ in answers] == [0.0, 0.0, 0.5, 1.0]
    assert [record["breakdown"]["components"][1]["weight"] for _, record in answers] == [0.0, 0.0, 0.5, 1.0]


def test_a_reward_is_explained_in_the_answer_and_on_the_record_alike(odd_service):
    gated = {"parts": [{"rewarder": "odd.length", "gate": True, "threshold": 0.9}, {"rewarder": "odd.length"}]}
    ((item, record),) = served(odd_service, gated)
    assert "set to 0 by gate odd.length" in item.explanation
    assert record["explanation"] == item.explanation


def test_nothing_is_explained_that_was_not_asked_for(odd_service):
    async def run() -> bytes:
        async with odd_service() as service:
            return await service.engine.score([raw_item("x")])

    assert json.loads(asyncio.run(run()))["items"][0]["explanation"] is None


def test_rubric_files_are_served_beside_the_tables(tmp_path: Path):
    (tmp_path / "brief.toml").write_text('name = "brief.v1"\nparts = [{rewarder = "layout.length"}]\n')
    config = tmp_path / "c.toml"
    config.write_text(f'rubric_files = ["{tmp_path}/b*.toml"]\n[[rubrics."y.v1".parts]]\nrewarder = "maths.equal"\n')
    read = load_config(config, {}).rubrics
    assert (sorted(read), read["brief.v1"].source) == (["brief.v1", "y.v1"], str(tmp_path / "brief.toml"))


def test_every_configuration_of_the_page_about_rubrics_binds():
    page = Path(__file__).parents[3] / "docs/rubrics.md"
    for block in re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        config = ServiceConfig.model_validate(tomllib.loads(block))
        assert set(config.rubrics) <= set(RubricBook(config.rubrics.values(), Registry.load(["assay"])))


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "there is no such file"),
        ({"a.toml": "x.v1", "b.toml": "x.v1"}, r"rubric 'x\.v1' is in two files"),
        ({"a.toml": "y.v1"}, r"rubric 'y\.v1' is in \[rubrics\] and in"),
        ({"a.toml": "nameless"}, r"a\.toml: name"),
    ],
)
def test_rubric_files_that_cannot_be_served_are_named(tmp_path: Path, files: dict[str, str], problem: str):
    for name, rubric in files.items():
        (tmp_path / name).write_text(f'name = "{rubric}"\nparts = [{{rewarder = "layout.length"}}]\n')
    config = tmp_path / "config"
    config.write_text(f'rubric_files = ["{tmp_path}/*.toml"]\n[[rubrics."y.v1".parts]]\nrewarder = "maths.equal"\n')
    with pytest.raises(ConfigError, match=problem):
        load_config(config, {})
