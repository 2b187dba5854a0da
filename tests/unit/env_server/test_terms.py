"""The headers by which a client says how long it waits and whom it lets pass."""

import time

import pytest
from starlette.requests import Request

from env_server.principal import ANYONE, Principal
from env_server.terms import Priority, terms_of
from rewarders.errors import RequestError


def request(*headers: tuple[str, str], principal: Principal | None = None) -> Request:
    state = {} if principal is None else {"principal": principal}
    spelled = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "headers": spelled, "state": state})


def test_a_request_that_says_nothing_is_anybodys_normal_and_waits_for_ever():
    terms = terms_of(request())
    assert (terms.principal, terms.deadline, terms.left_s, terms.priority) == (ANYONE, None, None, Priority.NORMAL)


def test_what_a_request_says_is_heeded():
    principal = Principal(tenant="acme", key_id="k1")
    asked = request(("X-Assay-Deadline-S", "2.5"), ("X-Assay-Priority", "background"), principal=principal)
    before, terms, after = time.monotonic(), terms_of(asked), time.monotonic()
    assert (terms.principal, terms.priority) == (principal, Priority.BACKGROUND)
    assert terms.deadline is not None
    assert before + 2.5 <= terms.deadline <= after + 2.5


@pytest.mark.parametrize("value", ["", "0", "0.0", "-1", "+1", "1e3", "inf", "nan", "1_0", " 1", "٣", "1.", "9" * 10])
def test_a_deadline_that_nobody_can_keep_is_refused_without_an_echo(value: str):
    value = value.encode("utf-8").decode("latin-1")
    with pytest.raises(RequestError, match="X-Assay-Deadline-S has to be a number of seconds over 0") as refused:
        terms_of(request(("X-Assay-Deadline-S", value)))
    assert refused.value.status == 422


@pytest.mark.parametrize("value", ["", "Normal", "urgent", "0", "normal, background"])
def test_a_priority_that_there_is_not_is_refused(value: str):
    with pytest.raises(RequestError, match="one of interactive, normal, background"):
        terms_of(request(("X-Assay-Priority", value)))


@pytest.mark.parametrize(("name", "value"), [("X-Assay-Deadline-S", "1"), ("X-Assay-Priority", "normal")])
def test_a_header_given_twice_is_refused(name: str, value: str):
    with pytest.raises(RequestError, match=f"{name} is given 2 times"):
        terms_of(request((name, value), (name, value)))
