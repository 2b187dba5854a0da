"""What is packed comes back, and what is damaged is said to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from env_server.ledger import codec
from env_server.ledger.codec import pack, pack_details, unpack

DETAIL = b'{"breakdown":{"components":[{"rewarder":"maths.equal","cached":false,"weight":1.0}]}}'

GOLDEN = "0228b52ffd2055ad000038312e307d5d7d7d044000416493dc036dc9b24022"
"""`DETAIL` as the first version packed it."""


@given(st.binary(max_size=5000))
def test_what_is_packed_comes_back(data: bytes):
    assert unpack(pack(data)) == data
    assert unpack(pack_details([data])[0]) == data


@pytest.mark.parametrize("data", [b"", b"x", b"abc" * 1000, bytes(range(256))])
def test_nothing_grows_by_more_than_the_byte_that_names_its_codec(data: bytes):
    assert len(pack(data)) <= len(data) + 1
    assert len(pack_details([data])[0]) <= len(data) + 1


def test_the_dictionary_makes_a_detail_smaller():
    assert len(pack_details([DETAIL])[0]) < len(pack(DETAIL)) / 2


@pytest.mark.parametrize(
    "packed", [b"", b"\x07data", b"\x01", b"\x01data", pack(b"abc" * 50)[:-3], pack(b"abc" * 50) + b"x"]
)
def test_what_is_damaged_is_said_to_be(packed: bytes):
    with pytest.raises(ValueError, match=r"packed with codec|decompress|how large"):
        unpack(packed)


def test_what_claims_to_be_larger_than_anything_is_not_unpacked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(codec, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match="claims too much"):
        unpack(pack(b"abc" * 50))


def test_the_dictionary_of_what_was_packed_before_never_changes():
    """A ledger of last year has to be read: a dictionary that changes needs a number of its own."""
    assert unpack(bytes.fromhex(GOLDEN)) == DETAIL
