"""Frames come out as they went in, however the bytes are cut on the way."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandboxes.inside.frames import HEAD, Incoming, pack, unpack

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
HEADERS = st.dictionaries(st.text().filter(lambda key: key != "blobs"), VALUES, max_size=4)
FRAMES = st.lists(st.tuples(HEADERS, st.lists(st.binary(max_size=64), max_size=4)), max_size=4)


@given(FRAMES, st.lists(st.integers(0, 2000)))
def test_frames_survive_any_cutting(frames, cuts):
    sent = b"".join(pack(header, blobs) for header, blobs in frames)
    edges = [0, *sorted(cut % (len(sent) + 1) for cut in cuts), len(sent)]
    incoming = Incoming()
    heard = [frame for start, end in pairwise(edges) for frame in incoming.feed(sent[start:end])]
    assert heard == frames


@given(st.integers(1, 40))
def test_a_torn_frame_is_not_a_frame(missing: int):
    whole = pack({"run": 7, "status": 0}, [b"out", b"err"])
    incoming = Incoming()
    assert list(incoming.feed(whole[:-missing])) == []
    assert list(incoming.feed(whole[-missing:])) == [({"run": 7, "status": 0}, [b"out", b"err"])]


@pytest.mark.parametrize("header", [b"[]", b"null", b'"x"', b"{}", b'{"blobs": [2]}', b'{"blobs": [4]}', b"{", b"\xff"])
def test_a_header_that_does_not_fit_is_refused(header: bytes):
    with pytest.raises(ValueError):  # noqa: PT011 - json's own errors are ValueErrors of several texts
        unpack(header, b"abc")


def test_the_head_tells_both_lengths():
    whole = pack({"do": "run"}, [b"12345"])
    header_bytes, body_bytes = HEAD.unpack_from(whole)
    assert json.loads(whole[HEAD.size : HEAD.size + header_bytes]) == {"do": "run", "blobs": [5]}
    assert whole[HEAD.size + header_bytes :] == b"12345"
    assert body_bytes == 5
