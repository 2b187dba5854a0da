"""How bodies and details are packed: one byte that names the codec, then the data. Pure.

Details are small and alike, so they are compressed with a dictionary: three components come to a third of what zstd
makes of them alone. A dictionary never changes; a better one would get the next number.
"""

import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

from zstandard import DICT_TYPE_RAWCONTENT, ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, ZstdError
from zstandard import frame_content_size as content_size

MAX_BYTES = 1 << 30
"""More is not unpacked, whatever the data says of itself."""
_RAW, _ZSTD, _ZSTD_DETAIL = 0, 1, 2
_LEVEL = 1
"""On texts of a few kilobytes a higher one takes longer and saves a hundredth."""
_DETAIL_LEVEL = -1
"""Half the time of the next, for a twentieth more: a detail is mostly what the dictionary has."""
_MIN_BYTES = 64
"""Less is not worth a compressor's header."""
_DETAIL_DICTIONARY = (
    b'"verdict":null,"fault":{"kind":"RewarderFault","message":"","retryable":false,"attempt":1},"SandboxFault",'
    b'"JudgeFault","no_answer","wrong","too_costly","unparsable","missing","answer":"","extracted":"","expected":"",'
    b'"start":0,"end":0,"count":1,"chars":0,"quote":"","tests":[],"passed":0,"failed":0,"spans":[[0,0]],"opinions":['
    b'{"breakdown":{"components":['
    b'{"rewarder":"layout.tags","version":"1.0","distribution":"assay","weight":0.0,"gate":true,'
    b'"verdict":{"score":1.0,"reason":"ok","evidence":{}},"fault":null,"observed":null,"contribution":0.0,'
    b'"cpu_s":0.000121,"wall_s":0.000213,"cached":false},'
    b'{"rewarder":"maths.equal","version":"1.0","distribution":"assay","weight":1.0,"gate":false,'
    b'"verdict":{"score":1.0,"reason":"equal","evidence":{"answer":""}},"fault":null,"observed":null,'
    b'"contribution":1.0,"cpu_s":0.000121,"wall_s":0.000213,"cached":false}]},'
    b'"sandboxes":[null,null,null],"models":[null,null,null],"redactions":[]}'
)
_mine = threading.local()
"""Neither compressors nor decompressors may be shared between threads."""


def pack(data: bytes) -> bytes:
    """A body, packed."""
    return pack_bodies([data])[0]


def pack_bodies(bodies: Sequence[bytes]) -> list[bytes]:
    """Bodies, each packed by itself."""
    return _pack(bodies, _ZSTD)


def pack_details(details: Sequence[bytes]) -> list[bytes]:
    """Details, each packed by itself, with what most of them have in common left out."""
    return _pack(details, _ZSTD_DETAIL)


def unpack(packed: bytes) -> bytes:
    """What was packed, by either.

    Raises:
        ValueError: the data is damaged, of an unknown codec, or claims to be larger than `MAX_BYTES`.
    """
    codec, data = packed[:1], packed[1:]
    if codec == bytes([_RAW]):
        return data
    if codec not in (bytes([_ZSTD]), bytes([_ZSTD_DETAIL])):
        raise ValueError(f"packed with codec {codec.hex() or 'none'}, which is not known")
    try:
        if not 0 <= content_size(data) <= MAX_BYTES:
            raise ValueError("it does not say how large it is, or claims too much")
        unpacked: bytes = _decompressor(codec[0]).decompress(data, read_across_frames=False, allow_extra_data=False)
    except ZstdError as error:
        raise ValueError(f"it cannot be decompressed: {error}") from error
    return unpacked


def _pack(many: Sequence[bytes], codec: int) -> list[bytes]:
    """In one call for all of them, so that another thread has the interpreter meanwhile."""
    large: list[Any] = [data for data in many if len(data) >= _MIN_BYTES]
    packed = iter(_compressor(codec).multi_compress_to_buffer(large) if large else ())
    return [_smaller(data, codec, next(packed).tobytes() if len(data) >= _MIN_BYTES else data) for data in many]


def _smaller(data: bytes, codec: int, packed: bytes) -> bytes:
    return bytes([codec]) + packed if len(packed) < len(data) else bytes([_RAW]) + data


@cache
def _dictionary() -> ZstdCompressionDict:
    dictionary = ZstdCompressionDict(_DETAIL_DICTIONARY, dict_type=DICT_TYPE_RAWCONTENT)
    dictionary.precompute_compress(level=_DETAIL_LEVEL)
    return dictionary


def _compressor(codec: int) -> ZstdCompressor:
    made: dict[int, ZstdCompressor] = _mine.__dict__.setdefault("compressors", {})
    if codec not in made:
        level, dictionary = (_DETAIL_LEVEL, _dictionary()) if codec == _ZSTD_DETAIL else (_LEVEL, None)
        made[codec] = ZstdCompressor(level=level, dict_data=dictionary, write_dict_id=False)
    return made[codec]


def _decompressor(codec: int) -> ZstdDecompressor:
    made: dict[int, ZstdDecompressor] = _mine.__dict__.setdefault("decompressors", {})
    if codec not in made:
        made[codec] = ZstdDecompressor(dict_data=_dictionary() if codec == _ZSTD_DETAIL else None)
    return made[codec]
