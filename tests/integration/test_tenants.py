"""Two tenants of one service: neither sees, changes or disturbs what the other has."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from keyed_server import KEYED, holder, make_key
from raw_items import raw_item

from env_server.client import RequestRefused, RewardClient
from env_server.keys.store import KeyStore
from env_server.ledger.place import Place
from env_server.principal import Scope
from env_server.schemas import Item

SECRET_TEXT = "canary8f3a"


@dataclass
class Tenants:
    """A service, and one client for each of two tenants that may do everything."""

    url: str
    data_dir: Path
    acme: httpx.Client
    other: httpx.Client

    def key(self, tenant: str, *scopes: Scope, expires_ms: int | None = None) -> str:
        return make_key(self.data_dir, tenant, scopes, expires_ms)


@pytest.fixture
def tenants(make_server: Callable[..., Any], server_toml: str, tmp_path: Path) -> Iterator[Tenants]:
    data = tmp_path / "data"
    first, second = make_key(data, "acme"), make_key(data, "other")
    server = make_server(toml=server_toml + KEYED)
    with ExitStack() as closing:
        acme, other = (closing.enter_context(holder(server.url, key)) for key in (first, second))
        yield Tenants(server.url, data, acme, other)


def record_of(client: httpx.Client, text: str = SECRET_TEXT, headers: Any = None, run: str = "shared-name") -> str:
    body = {"items": [raw_item(text, "echo.v1", {"answer": "4"})], "run": {"id": run}}
    answer = client.post("/v1/score", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"][0]["record_id"]


NOTE = {"kind": "label", "by": "somebody", "reason": "because", "label": True}


def test_another_tenants_record_is_not_there(tenants: Tenants):
    record = record_of(tenants.acme)
    assert tenants.acme.get(f"/v1/records/{record}").json()["tenant"] == "acme"
    nowhere = str(uuid4())
    requests = [
        ("GET", "/v1/records/{}", None),
        ("POST", "/v1/records/{}/recompute", None),
        ("POST", "/v1/records/{}/recompute", {"dry_run": True}),
        ("POST", "/v1/records/{}/notes", NOTE),
    ]
    for method, path, body in requests:
        theirs, missing = (tenants.other.request(method, path.format(one), json=body) for one in (record, nowhere))
        assert (theirs.status_code, theirs.content) == (404, missing.content)
    for spelling in (record.upper(), record.replace("-", ""), f"{{{record}}}", f"urn:uuid:{record}"):
        assert tenants.other.get(f"/v1/records/{spelling}").status_code == 404
    assert tenants.acme.get(f"/v1/records/{record}").json()["note_count"] == 0


def test_a_listing_holds_a_tenants_own_records_whatever_is_asked(tenants: Tenants):
    mine, theirs = record_of(tenants.acme), record_of(tenants.other)
    assert tenants.acme.post(f"/v1/records/{mine}/notes", json=NOTE).status_code == 201
    queries: list[dict[str, Any]] = [
        {}, {"kind": "all"}, {"run": "shared-name"}, {"task_id": "t"}, {"rubric": "echo.v1"}, {"reason": "compared"},
        {"expand": "true", "kind": "all"}, {"order": "oldest"}, {"cursor": str(uuid4())},
        {"cursor": mine, "order": "oldest"},
    ]  # fmt: skip
    for query in queries:
        for row in tenants.other.get("/v1/records", params=query).json()["records"]:
            assert row["id"] == theirs
    assert {row["id"] for row in tenants.acme.get("/v1/records").json()["records"]} == {mine}
    assert tenants.other.get("/v1/records", params={"kind": "label"}).json()["records"] == []
    (note,) = tenants.acme.get("/v1/records", params={"kind": "label"}).json()["records"]
    assert note["about"] == mine
    asked = tenants.other.get("/v1/records", params={"tenant": "acme"})
    assert (asked.status_code, "acme" in asked.text) == (422, False)


def test_a_replay_belongs_to_the_tenant_of_the_record(tenants: Tenants):
    record = record_of(tenants.acme)
    replay = tenants.acme.post(f"/v1/records/{record}/recompute").json()
    assert replay["result"] == "equal"
    assert tenants.acme.get(f"/v1/records/{replay['replay_id']}").json()["tenant"] == "acme"
    assert tenants.other.get(f"/v1/records/{replay['replay_id']}").status_code == 404


def test_two_tenants_may_use_one_idempotency_key_and_never_see_each_others_answer(tenants: Tenants):
    headers = {"idempotency-key": "step-1"}
    mine = record_of(tenants.acme, headers=headers)
    theirs = record_of(tenants.other, headers=headers)
    assert mine != theirs
    assert record_of(tenants.acme, headers=headers) == mine
    assert record_of(tenants.other, headers=headers) == theirs
    body = {"items": [raw_item("another")]}
    assert tenants.other.post("/v1/score", json=body, headers=headers).status_code == 422
    lines = {**headers, "accept": "application/x-ndjson"}
    for client in (tenants.acme, tenants.other):
        streamed = client.post("/v1/score", json=body, headers={**lines, "idempotency-key": "streamed"})
        (part, end) = (json.loads(line) for line in streamed.text.splitlines())
        assert end["done"]
        assert client.get(f"/v1/records/{part['items'][0]['record_id']}").status_code == 200


def test_a_rotated_key_sends_again_under_the_same_idempotency_key(tenants: Tenants):
    headers = {"idempotency-key": "across-keys"}
    record = record_of(tenants.acme, headers=headers)
    with holder(tenants.url, tenants.key("acme", Scope.SCORE)) as rotated:
        assert record_of(rotated, headers=headers) == record


DIALECTS: list[tuple[str, dict[str, Any]]] = [
    ("/openrlhf/echo.v1/get_reward?run=r", {"query": ["?4"], "prompts": ["?"], "labels": ["4"]}),
    ("/slime/echo.v1?run=r", {"prompt": "?", "response": "4", "label": "4"}),
    ("/nemo-gym/echo.v1/verify?run=r", {
        "responses_create_params": {"input": "?"}, "answer": "4",
        "response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": "4"}]}]},
    }),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body"), DIALECTS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_a_dialect_records_is_its_tenants(tenants: Tenants, path: str, body: dict[str, Any]):
    assert tenants.acme.post(path, json=body).status_code == 200
    (row,) = tenants.acme.get("/v1/records", params={"run": "r"}).json()["records"]
    assert tenants.other.get("/v1/records", params={"run": "r"}).json()["records"] == []
    assert tenants.acme.get(f"/v1/records/{row['id']}").json()["tenant"] == "acme"


def test_dialects_without_headers_bring_their_key_in_the_address(tenants: Tenants):
    address = tenants.url.replace("http://", f"http://any:{tenants.key('acme', Scope.SCORE)}@")
    for path, body in DIALECTS:
        assert httpx.post(address + path, json=body).status_code == 200
    assert httpx.post(f"{address}/v1/score", json={"items": []}).status_code == 401


ALLOWED = {
    ("POST", "/v1/score"): {Scope.SCORE},
    ("GET", "/v1/rubrics"): {Scope.SCORE, Scope.READ},
    ("GET", "/v1/records"): {Scope.READ},
    ("GET", f"/v1/records/{uuid4()}"): {Scope.READ},
    ("POST", f"/v1/records/{uuid4()}/notes"): {Scope.WRITE},
    ("POST", f"/v1/records/{uuid4()}/recompute"): {Scope.WRITE},
    ("GET", "/metrics"): {Scope.ADMIN},
    ("POST", "/slime/echo.v1"): {Scope.SCORE},
    ("GET", "/openapi.json"): set(Scope),
    ("GET", "/healthz"): set(Scope),
    ("GET", "/readyz"): set(Scope),
}


@pytest.mark.parametrize("scope", Scope)
def test_a_key_is_good_for_its_scope_alone(tenants: Tenants, scope: Scope):
    with holder(tenants.url, tenants.key("acme", scope)) as client:
        for (method, path), scopes in ALLOWED.items():
            answer = client.request(method, path, json={} if method == "POST" else None)
            assert (answer.status_code == 403) == (scope not in scopes), (path, answer.text)
            assert answer.status_code != 401


def test_health_tells_a_stranger_yes_or_no_and_a_tenant_nothing_of_others(tenants: Tenants):
    record_of(tenants.acme)
    assert httpx.get(f"{tenants.url}/readyz").json() == {"status": "ready"}
    assert httpx.get(f"{tenants.url}/healthz").json() == {"status": "ok"}
    told = tenants.other.get("/readyz").text + tenants.other.get("/openapi.json").text
    assert "acme" not in told
    assert SECRET_TEXT not in told


def test_metrics_name_no_tenant_and_no_key(tenants: Tenants):
    record_of(tenants.acme)
    text = tenants.acme.get("/metrics").text
    assert 'assay_items_total{rubric="echo.v1",status="scored"}' in text
    assert "acme" not in text
    assert "asy_" not in text


def test_a_key_counts_once_it_is_made_and_for_seconds_at_most_once_it_is_revoked(tenants: Tenants):
    with holder(tenants.url, tenants.key("acme", Scope.READ)) as client:
        assert client.get("/v1/rubrics").status_code == 200
        with closing(KeyStore(Place(tenants.data_dir))) as store:
            store.revoke(client.headers["authorization"][7:19])
        wait_for(lambda: client.get("/v1/rubrics").status_code == 401)
        assert client.get("/v1/rubrics").json()["detail"] == "the key is revoked"
    assert tenants.acme.get("/v1/rubrics").status_code == 200


def wait_for(holds: Callable[[], bool]) -> None:
    """Not for ever: a key that is known for longer than a minute is a failure."""
    for _ in range(120):
        if holds():
            return
        time.sleep(0.5)
    pytest.fail("it never came to be")


def test_a_key_that_has_expired_is_told_so(tenants: Tenants):
    with holder(tenants.url, tenants.key("acme", Scope.READ, expires_ms=1)) as client:
        assert client.get("/v1/rubrics").json()["detail"] == "the key is expired"


def test_the_client_works_with_a_key_and_says_what_is_wrong_without(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("ASSAY_KEY", raising=False)
    items = [Item.model_validate(raw_item("4", "echo.v1", {"answer": "4"}))]
    (tmp_path / "key").write_text(tenants.acme.headers["authorization"].removeprefix("Bearer "))
    with RewardClient(tenants.url) as client, pytest.raises(RequestRefused, match="no key was sent") as refused:
        client.score(items)
    assert "ASSAY_KEY" in refused.value.hint
    monkeypatch.setenv("ASSAY_KEY_FILE", str(tmp_path / "key"))
    with RewardClient(tenants.url) as client:
        (scored,) = client.score(items).items
        assert scored.record_id is not None
        assert client.record(scored.record_id)["tenant"] == "acme"
        assert [row["id"] for row in client.records()] == [scored.record_id]


def test_neither_log_nor_ledger_holds_a_key(
    make_server: Callable[..., Any], server_toml: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    key = make_key(tmp_path / "data", "acme")
    server = make_server(toml=server_toml + KEYED + '[log]\nlevel = "debug"\n')
    basic = base64.b64encode(f"any:{key}".encode()).decode()
    with httpx.Client(base_url=server.url) as client:
        sent: list[tuple[str, dict[str, str]]] = [
            ("/v1/rubrics", {"authorization": f"Bearer {key}"}), (f"/v1/rubrics?key={key}", {}), (f"/{key}", {}),
            ("/slime/echo.v1", {"authorization": f"Basic {basic}"}), ("/v1/rubrics", {"authorization": f"Token {key}"}),
            ("/v1/rubrics", {"authorization": f"Bearer {key}", "x-request-id": "known"}),
        ]  # fmt: skip
        for path, headers in sent:
            answer = client.get(path, headers=headers)
            assert key not in f"{answer.text} {answer.headers}"
    server.stop()
    logged = "".join(capfd.readouterr())
    assert f"key={key[:12]}" in logged
    assert key[12:] not in logged
    assert basic not in logged
    written = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert key[12:].encode() not in written
