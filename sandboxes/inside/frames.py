"""How server and warden talk: frames of a JSON header and byte strings, so that neither side ever unpickles anything.

A frame is two 32-bit lengths, the header and the body. The header's `blobs` says how the body divides.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any

HEAD = struct.Struct("!II")


def pack(header: dict[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """One frame."""
    text = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}).encode()
    return b"".join((HEAD.pack(len(text), sum(map(len, blobs))), text, *blobs))


def unpack(header: bytes, body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Header and blobs of one frame. Raises ValueError for what is not a frame."""
    fields = json.loads(header)
    if not isinstance(fields, dict) or sum(fields.get("blobs", ())) != len(body):
        raise ValueError("the frame's header does not fit its body")
    blobs, start = [], 0
    for size in fields.pop("blobs"):
        blobs.append(body[start : start + size])
        start += size
    return fields, blobs


class Incoming:
    """Bytes as they arrive, cut into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[dict[str, Any], list[bytes]]]:
        """Take bytes; give the frames they complete."""
        self._buffer += data
        while len(self._buffer) >= HEAD.size:
            header, body = HEAD.unpack_from(self._buffer)
            end = HEAD.size + header + body
            if len(self._buffer) < end:
                return
            frame = bytes(self._buffer[HEAD.size : end])
            del self._buffer[:end]
            yield unpack(frame[:header], frame[header:])
