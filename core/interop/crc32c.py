"""CRC-32C (Castagnoli), as LevelDB and TensorFlow guard their blocks, fast enough for half a gigabyte.

Python's zlib has the other polynomial only, and byte by byte in Python 500 MB would take minutes. A CRC is linear over
bits, so the data is cut into lanes that numpy runs through side by side, and the lanes are joined in pairs.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

_POLYNOMIAL = 0x82F63B78  # reflected
_LANES = (1 << 14, 1 << 8)  # for the bulk, and for what is left of it
_COLUMNS = 16  # words of each lane that are laid side by side at once: a cache line
_MASK_DELTA = 0xA282EAD8

Words = npt.NDArray[np.uint32]


def masked(crc: int) -> int:
    """As LevelDB stores it: a CRC of data that holds CRCs would be weak."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """The CRC-32C of some bytes."""
    view = memoryview(data).cast("B")
    crc = 0xFFFFFFFF
    for lanes in _LANES:
        lane = len(view) // (4 * lanes) * 4  # bytes of a lane, whole words
        if lane:
            words = np.frombuffer(view[: lane * lanes], dtype="<u4").reshape(lanes, lane // 4)
            crc = _joined(_lanes(words, crc), lane)
            view = view[lane * lanes :]
    table = _table()
    for byte in bytes(view):
        crc = int(table[0][(crc ^ byte) & 0xFF]) ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _lanes(words: Words, first: int) -> Words:
    """The CRC of each row, the first of which goes on from ``first``, the others from 0."""
    low, high = _pairs()
    crc = np.zeros(len(words), dtype=np.uint32)
    crc[0] = first
    for begin in range(0, words.shape[1], _COLUMNS):
        for column in np.ascontiguousarray(words[:, begin : begin + _COLUMNS].T):
            crc ^= column
            crc = low[crc.astype(np.uint16)] ^ high[crc >> 16]
    return crc


def _joined(crc: Words, length: int) -> int:
    """One CRC of those of neighbouring pieces of ``length`` bytes each: the left one is moved past the right one."""
    while len(crc) > 1:
        moved = np.zeros(len(crc) // 2, dtype=np.uint32)
        for bit, column in enumerate(_past_zeros(length)):
            moved ^= np.where((crc[::2] >> np.uint32(bit)) & np.uint32(1), np.uint32(column), np.uint32(0))
        crc = moved ^ crc[1::2]
        length *= 2
    return int(crc[0])


@cache
def _past_zeros(length: int) -> tuple[int, ...]:
    """What ``length`` zero bytes make of each of the 32 bits of a CRC: a matrix over bits, by squaring."""
    table = _table()
    if length == 1:
        return tuple(int(table[0][(1 << bit) & 0xFF]) ^ ((1 << bit) >> 8) for bit in range(32))
    half = _past_zeros(length // 2)
    columns = tuple(_times(half, column) for column in half)
    return tuple(_times(_past_zeros(1), column) for column in columns) if length % 2 else columns


def _times(matrix: tuple[int, ...], vector: int) -> int:
    found = 0
    for bit, column in enumerate(matrix):
        if vector >> bit & 1:
            found ^= column
    return found


@cache
def _table() -> Words:
    """(4, 256): what a byte, followed by 0 to 3 zero bytes, adds."""
    table = np.zeros((4, 256), dtype=np.uint32)
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        table[0, byte] = crc
    for zeros in range(1, 4):
        before = table[zeros - 1]
        table[zeros] = table[0][before & 0xFF] ^ (before >> 8)
    return table


@cache
def _pairs() -> tuple[Words, Words]:
    """Two tables of 65,536 for a word: its lower two bytes come first, so more zeros follow them."""
    table = _table()
    halves = np.arange(1 << 16)
    first, second = halves & 0xFF, halves >> 8
    return table[3][first] ^ table[2][second], table[1][first] ^ table[0][second]
