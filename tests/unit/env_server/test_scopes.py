"""Which key is good for which route: every route there is says so."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from env_server.config import ServiceConfig
from env_server.dialects import nemo_gym, openrlhf, slime
from env_server.keys.guard import OPEN
from env_server.keys.scopes import Needs
from env_server.principal import Scope
from env_server.routes import metrics, reading, records, score

ROUTERS = [score.router, reading.router, records.router, metrics.router, openrlhf.router, slime.router, nemo_gym.router]
ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
ASKING = {
    "/v1/score": {Scope.SCORE},
    "/v1/rubrics": {Scope.SCORE, Scope.READ},
    "/v1/rewarders": {Scope.SCORE, Scope.READ},
    "/v1/plugins": {Scope.SCORE, Scope.READ},
    "/v1/records": {Scope.READ},
    "/v1/records/{record_id}": {Scope.READ},
    "/v1/records/{record_id}/notes": {Scope.WRITE},
    "/v1/records/{record_id}/recompute": {Scope.WRITE},
    "/metrics": {Scope.ADMIN},
}


def scopes_of(dependant: Dependant) -> Iterator[Any]:
    for one in dependant.dependencies:
        if isinstance(one.call, Needs):
            yield set(one.call.scopes)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_every_route_says_which_scopes_it_is_for(route: APIRoute):
    expected = [] if route.path in OPEN else [ASKING.get(route.path, {Scope.SCORE})]
    assert list(scopes_of(route.dependant)) == expected


def test_every_route_that_is_named_here_is_there():
    assert {route.path for route in ROUTES} >= ASKING.keys() | OPEN


def test_a_service_asks_for_no_keys_unless_it_is_told_to():
    assert not ServiceConfig().keys.enabled
