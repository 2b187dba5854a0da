"""Signed checkpoints: what the form is, and that nothing else is taken for one."""

import base64
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from env_server.ledger.notes import (
    BadNote,
    Signer,
    key_id,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    read_verifier_key,
    verifier_key,
)
from rewarders.errors import LedgerError

ROOT = bytes(range(32))
AT_MS = 1_795_271_318_007


@pytest.fixture
def signer() -> Signer:
    return Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))


def test_a_checkpoint_is_spelled_as_the_specification_says(signer):
    lines = signer.checkpoint(1042, ROOT, AT_MS).split("\n")
    assert lines[:5] == [
        signer.name,
        "1042",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "time 2026-11-21T14:28:38.007Z",
        "",
    ]
    dash, name, signature = lines[5].split(" ")
    assert (dash, name, lines[6:]) == ("\N{EM DASH}", signer.name, [""])
    assert len(base64.b64decode(signature)) == 4 + 64


def test_a_note_of_another_implementation_verifies():
    """An example that implementations of signed-note share, with its key."""
    key = base64.b64decode("AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")[1:]
    signature = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
    note = f"This is an example message.\n\n\N{EM DASH} example.com/foo {signature}\n"
    assert key_id("example.com/foo", key).hex() == "530d903a"
    assert open_note(note, key, "example.com/foo") == "This is an example message.\n"
    with pytest.raises(BadNote, match="wrong"):
        open_note(note.replace("example message", "other message"), key, "example.com/foo")


def test_a_public_key_is_read_as_it_is_spelled(signer):
    assert read_verifier_key(verifier_key(signer.public_key) + "\n") == signer.public_key


def test_a_checkpoint_says_what_was_signed(signer):
    checkpoint = open_checkpoint(signer.checkpoint(7, ROOT, AT_MS), signer.public_key)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root, checkpoint.at_ms) == (signer.name, 7, ROOT, AT_MS)


def test_another_signature_beside_the_writers_does_no_harm(signer):
    note = signer.checkpoint(7, ROOT, AT_MS) + "— witness.example AAAAAAAA\n"
    assert open_checkpoint(note, signer.public_key).size == 7


@pytest.mark.parametrize("place", range(0, 190, 3))
def test_a_checkpoint_with_one_flipped_bit_is_refused(signer, place):
    note = bytearray(signer.checkpoint(7, ROOT, AT_MS).encode())
    note[place % len(note)] ^= 1
    with pytest.raises(BadNote):
        open_checkpoint(note.decode("utf-8", "replace"), signer.public_key)


def test_a_checkpoint_of_another_key_is_refused(signer):
    other = Signer(Ed25519PrivateKey.generate())
    with pytest.raises(BadNote, match="not signed by"):
        open_checkpoint(other.checkpoint(7, ROOT, AT_MS), signer.public_key)
    forged = other.checkpoint(7, ROOT, AT_MS).replace(other.name, signer.name)
    with pytest.raises(BadNote, match="wrong"):
        open_checkpoint(forged, signer.public_key)


def test_a_signed_note_that_is_no_checkpoint_is_refused(signer):
    note = signer.sign(
        "assay/somebody-else\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\ntime 2026-11-21T14:28:38.007Z\n"
    )
    with pytest.raises(BadNote, match="is of"):
        open_checkpoint(note, signer.public_key)
    assert open_note(signer.sign("sealed\nsomething\n"), signer.public_key) == "sealed\nsomething\n"
    with pytest.raises(BadNote, match="no checkpoint"):
        open_checkpoint(signer.sign("sealed\nsomething\n"), signer.public_key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "\n\n",
        "a\n07\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\ntime 2026-11-21T14:28:38.007Z\n\n",
        "a\n7\nAAEC\ntime 2026-11-21T14:28:38.007Z\n\n",
        "a\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\ntime 2026-11-21T14:28:38.007Z\n\n",
        "a\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\ntime 2026-13-21T14:28:38.007Z\n\n",
        "a\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n",
        f"a\n{'9' * 5000}\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\ntime 2026-11-21T14:28:38.007Z\n\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(BadNote):
        parse_checkpoint(text)


@pytest.mark.parametrize("text", ["", "assay/x", "assay/0123456789abcdef+00000000+AQ==", "a+b+c", "assay/é+1+2"])
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(BadNote, match="no public key"):
        read_verifier_key(text)


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    made = Signer.load_or_make(tmp_path / "writer")
    assert Signer.load_or_make(tmp_path / "writer").public_key == made.public_key
    assert stat.S_IMODE((tmp_path / "writer" / "key.pem").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "writer").iterdir()] == ["key.pem"]


def test_threads_that_make_a_key_at_once_end_up_with_one(tmp_path):
    keys: list[bytes] = []
    threads = [threading.Thread(target=lambda: keys.append(Signer.load_or_make(tmp_path).public_key)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(keys), len(set(keys))) == (8, 1)


def test_a_file_that_holds_no_such_key_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "key.pem").write_text("nothing")
    with pytest.raises(LedgerError, match="holds no signing key"):
        Signer.load_or_make(tmp_path)
    rsa = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(rsa)
    with pytest.raises(LedgerError, match="not Ed25519"):
        Signer.load_or_make(tmp_path)
    assert (tmp_path / "key.pem").read_bytes() == rsa
