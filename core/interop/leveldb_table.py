"""A sorted table of LevelDB, in which TensorFlow keeps the index of a checkpoint.

From behind: 48 bytes with the place of the index block and a magic number; the index block, with the places of the
data blocks; the data blocks, in which a key is written as what differs from the key before it. Every block ends with
how it is compressed and a CRC-32C. (leveldb/doc/table_format.md)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..errors import Phrase
from .crc32c import crc32c, masked

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_TRAILER = 5  # compression, CRC


class BadTable(Exception):
    """It is no table, or a damaged one; the message, a ``Phrase``, says why in a few words."""


def _bad(template: str) -> BadTable:
    return BadTable(Phrase(template))


def read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a table, in its order. Raises ``BadTable``."""
    if len(data) < _FOOTER or struct.unpack("<Q", data[-8:])[0] != _MAGIC:
        raise _bad("its end is not that of an index of TensorFlow")
    footer = data[-_FOOTER:-8]
    place = 0
    handles = []
    for _ in range(4):  # offset and size of the meta index, then of the index
        number, place = varint(footer, place)
        handles.append(number)
    for _, handle in _entries(_block(data, handles[2], handles[3])):
        offset, next_place = varint(handle, 0)
        size, _ = varint(handle, next_place)
        yield from _entries(_block(data, offset, size))


def varint(data: bytes, place: int) -> tuple[int, int]:
    """A number of up to 64 bits in groups of seven, the lowest first; and the place behind it."""
    number = shift = 0
    while shift < 64:
        if place >= len(data):
            raise _bad("it ends within a number")
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
        shift += 7
    raise _bad("a number is too long")


def _block(data: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + _TRAILER > len(data) - _FOOTER:
        raise _bad("a block lies outside of it")
    (crc,) = struct.unpack("<I", data[end + 1 : end + _TRAILER])
    if masked(crc32c(data[offset : end + 1])) != crc:
        raise _bad("a block does not match its checksum")
    if data[end]:
        raise _bad("a block is compressed, which TensorFlow's are not")
    return data[offset:end]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(block) < 4:
        raise _bad("a block is too short")
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 - 4 * restarts
    place, key = 0, b""
    while place < end:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        size, place = varint(block, place)
        if shared > len(key) or place + own + size > end:
            raise _bad("an entry lies outside of its block")
        key = key[:shared] + block[place : place + own]
        yield key, block[place + own : place + own + size]
        place += own + size
