"""A client that waits for less long than its answer takes."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from raw_items import raw_item

from env_server.client import RewardClient
from env_server.ledger.place import Place
from env_server.ledger.reader import LedgerReader
from env_server.record_filter import RecordFilter
from env_server.schemas import Item

ITEM = Item.model_validate(raw_item("sleep 3", "waits.v1"))


@pytest.mark.parametrize("in_lines", [False, True])
def test_it_is_answered_in_the_end_and_nothing_is_scored_twice(
    make_server: Callable[..., Any], server_toml: str, in_lines: bool
):
    own = server_toml.replace('"odd_rewarders"', '"odd_async_rewarders"')
    rubric = '[rubrics."waits.v1"]\nparts = [{ rewarder = "odd.waits" }]\n'
    server = make_server(toml=own.partition("[rubrics")[0] + rubric)
    with RewardClient(server.url, timeout_s=0.5, retries=1) as client:
        if in_lines:
            (reward,) = [item.reward for part in client.stream([ITEM]) for item in part.items]
        else:
            reward = client.score([ITEM]).items[0].reward
    assert reward is not None
    assert server.stop() == 0
    with closing(LedgerReader(Place(server.data_dir))) as reader:
        assert reader.matching(RecordFilter()) == 1
