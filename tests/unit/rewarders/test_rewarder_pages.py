"""The pages about rewarders: their rubrics bind, and they tell of every rewarder and reason there is."""

import re
import tomllib
from pathlib import Path

import pytest

from env_server.config import ServiceConfig
from env_server.rubric_book import RubricBook
from rewarders.citation import Reason
from rewarders.registry import Registry

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("layout", "citation", "safety")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load(["assay"])


@pytest.mark.parametrize("page", PAGES)
def test_every_rubric_of_a_page_binds(page: str, registry: Registry):
    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / f"{page}.md").read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        config = ServiceConfig.model_validate(tomllib.loads(block))
        assert set(config.rubrics) <= set(RubricBook(config.rubrics.values(), registry))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_tells_of_every_rewarder(page: str, registry: Registry):
    text = (DOCS / f"{page}.md").read_text("utf-8")
    told = {name for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", text) if name.startswith(f"{page}.")}
    assert told == {spec.name for spec in registry if spec.name.startswith(f"{page}.")}


def test_the_citation_page_tells_of_every_reason():
    told = (DOCS / "citation.md").read_text("utf-8").partition("## Reasons")[2]
    assert set(re.findall(r"`([a-z_]+)`", told)) == set(Reason)
