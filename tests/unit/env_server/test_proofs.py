"""Proofs made from a ledger, checked without one, and everything that must not pass for one."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ledgers import database, reward, writing

from env_server.audit.proofs import BadProof, Proof, check, signed_columns
from env_server.audit.proving import prove
from env_server.ledger.laying import lay_out
from env_server.ledger.notes import BadNote, Signer
from env_server.ledger.place import Place
from rewarders.errors import ConfigError, LedgerError, NotFound

ENTRIES = [reward(number) for number in range(45)]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("proofs") / "data"
    with writing(data) as tree:
        for begin in range(0, 45, 15):
            tree.commit([lay_out(ENTRIES[begin : begin + 15])])
            tree.sign()
    return data


def older(data: Path, size: int) -> str:
    with database(data) as connection:
        return str(connection.execute("SELECT note FROM checkpoints WHERE size = ?", (size,)).fetchone()[0])


@pytest.mark.parametrize("number", [0, 14, 15, 31, 44])
def test_a_record_is_proved_to_be_in_the_newest_signed_tree(ledger, number):
    proof = prove(Place(ledger), ENTRIES[number].id.hex())
    again = Proof.model_validate_json(proof.model_dump_json())
    assert check(again).size == 45
    assert again.inclusion is not None
    assert signed_columns(again.inclusion.leaf_data)["reward"] == repr(ENTRIES[number].reward)


@pytest.mark.parametrize("size", [15, 30, 45])
def test_an_older_checkpoint_is_proved_to_be_the_beginning_of_the_newest(ledger, size):
    proof = prove(Place(ledger), None, older(ledger, size))
    assert check(proof).size == 45


def test_the_reward_in_a_proof_cannot_be_changed(ledger):
    proof = prove(Place(ledger), ENTRIES[3].id.hex()).model_dump()
    proof["inclusion"]["leaf_data"] = proof["inclusion"]["leaf_data"].replace("1.0", "0.0").replace("scored", "Scored")
    with pytest.raises(BadProof, match="does not lead"):
        check(Proof.model_validate(proof))


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("inclusion", "index", 4),
        ("inclusion", "index", 2**62),
        ("inclusion", "record", "01a1fe90-0dc7-7592-8956-6a5fe9c799d3"),
        ("inclusion", "path", ("00" * 32,) * 6),
        ("inclusion", "path", ()),
        ("inclusion", "leaf_data", "[" * 5000),
        ("consistency", "path", ("00" * 32,) * 4),
        ("consistency", "path", ()),
    ],
)
def test_a_changed_proof_proves_nothing(ledger, part, field, value):
    proof = prove(Place(ledger), ENTRIES[3].id.hex(), older(ledger, 30)).model_dump()
    proof[part][field] = value
    with pytest.raises(BadProof):
        check(Proof.model_validate(proof))


def test_a_proof_of_another_key_than_the_trusted_one_is_refused(ledger):
    proof = prove(Place(ledger), ENTRIES[3].id.hex())
    with pytest.raises(BadProof, match="another writer"):
        check(proof, Signer(Ed25519PrivateKey.generate()).public_key)


def test_a_checkpoint_that_the_key_did_not_sign_is_refused(ledger):
    proof = prove(Place(ledger), ENTRIES[3].id.hex())
    forged = proof.model_copy(update={"checkpoint": proof.checkpoint.replace("\n45\n", "\n46\n")})
    with pytest.raises(BadNote):
        check(forged)


def test_a_proof_that_says_nothing_is_refused(ledger):
    proof = prove(Place(ledger), ENTRIES[3].id.hex())
    with pytest.raises(BadProof, match="says nothing"):
        check(proof.model_copy(update={"inclusion": None}))


def test_what_is_not_there_cannot_be_proved(ledger):
    with pytest.raises(NotFound, match="no record"):
        prove(Place(ledger), "01a1fe90-0dc7-7592-8956-6a5fe9c799d3")
    with pytest.raises(NotFound, match="no id"):
        prove(Place(ledger), "x")
    other = Signer(Ed25519PrivateKey.generate())
    with pytest.raises(ConfigError, match="no writer"):
        prove(Place(ledger), None, other.checkpoint(3, bytes(32), 0))


def test_a_record_can_be_proved_as_soon_as_it_is_written(tmp_path):
    with writing(tmp_path) as tree:
        tree.commit([lay_out(ENTRIES[:2])])
        assert check(prove(Place(tmp_path), ENTRIES[0].id.hex())).size == 2


def test_a_ledger_that_was_changed_proves_nothing(tmp_path):
    with writing(tmp_path) as tree:
        tree.commit([lay_out(ENTRIES)])
    with database(tmp_path) as connection:
        connection.execute("UPDATE records SET reward = 0.5 WHERE seq = 4")
    with pytest.raises(LedgerError, match="cannot prove it"):
        prove(Place(tmp_path), ENTRIES[4].id.hex())


def test_a_proof_repeats_no_text_of_task_or_completion(ledger):
    proof = prove(Place(ledger), ENTRIES[3].id.hex()).model_dump_json()
    assert "What is" not in proof
    assert "I think" not in proof
    assert json.loads(proof)["format"] == "assay.proof/1"
