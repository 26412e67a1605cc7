"""Entropy coding with range asymmetric numeral systems (rANS), in integer arithmetic.

Source: Duda, "Asymmetric numeral systems: entropy coding combining speed of Huffman coding with compression rate of
arithmetic coding", 2013; the range variant.

Each symbol multiplies the coder state by total / frequency. The decoder needs exactly the same frequencies. A symbol
costs -log2(frequency / 2^16) bits; a stream adds about 4 bytes.
"""

import struct
import zlib

import numpy as np

BITS = 16
TOTAL = 1 << BITS  # sum of the frequencies of all symbols
LEAST = 1 << 24  # renormalization bound: the state stays in [LEAST, 256 LEAST)
_HEADER = struct.Struct("<4sI4sI")  # magic, images, weights, checksum of the symbols
_MAGIC = b"CNZ1"


def frequencies(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities (n, symbols) as integers >= 1 that sum to 2^16, int64 (n, symbols).

    Every symbol gets a frequency of at least 1; the rounding remainder goes to the most probable symbol.

    Raises:
        ValueError: For more than 2^15 symbols, or rows that are not probabilities.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not 1 <= p.shape[1] <= TOTAL // 2:
        raise ValueError(
            f"Probabilities must be (n, symbols) with 1 to {TOTAL // 2} symbols. Received: shape {p.shape}"
        )
    if not (p.min(initial=0.0) >= 0.0 and np.allclose(p.sum(axis=1), 1.0, atol=1e-6)):  # negated: rejects NaN
        raise ValueError("Rows of probabilities must be numbers >= 0 that sum to 1. Received: other rows")
    p = p / p.sum(axis=1, keepdims=True)
    counts = 1 + np.floor(p * (TOTAL - p.shape[1])).astype(np.int64)
    counts[np.arange(len(p)), p.argmax(axis=1)] += TOTAL - counts.sum(axis=1)
    return counts


class Encoder:
    """Encodes symbols; a `Decoder` returns them in the same order."""

    def __init__(self) -> None:
        self._intervals: list[tuple[int, int]] = []

    def write(self, symbols: np.ndarray, counts: np.ndarray) -> None:
        """Appends integers (n,) with their frequencies (n, symbols) from `frequencies`."""
        chosen = np.arange(len(symbols)), symbols
        widths = counts[chosen]
        starts = counts.cumsum(axis=1)[chosen] - widths
        self._intervals += zip(starts.tolist(), widths.tolist(), strict=True)

    def to_bytes(self) -> bytes:
        """The encoded stream."""
        state, stream = LEAST, bytearray()
        for start, width in reversed(self._intervals):  # last in, first out: the first symbol to decode is encoded last
            while state >= width * (LEAST >> BITS << 8):
                stream.append(state & 255)
                state >>= 8
            state = (state // width << BITS) + start + state % width
        return state.to_bytes(4, "big") + bytes(reversed(stream))


class Decoder:
    """Decodes the stream of an `Encoder`.

    Raises:
        ValueError: The stream is too short for a first symbol.
    """

    def __init__(self, stream: bytes) -> None:
        if len(stream) < 4:
            raise ValueError(f"A stream must have at least 4 bytes. Received: {len(stream)}")
        self._state = int.from_bytes(stream[:4], "big")
        self._rest = iter(stream[4:])

    def read(self, counts: np.ndarray) -> np.ndarray:
        """The next integers (n,), given the frequencies (n, symbols) used to encode them.

        Raises:
            ValueError: The stream is at its end.
        """
        symbols = np.empty(len(counts), np.int64)
        for i, ends in enumerate(counts.cumsum(axis=1)):
            place = self._state % TOTAL
            symbol = int(ends.searchsorted(place, side="right"))
            width = int(counts[i, symbol])
            self._state = width * (self._state >> BITS) + place - int(ends[symbol]) + width
            while self._state < LEAST:
                byte = next(self._rest, None)
                if byte is None:
                    raise ValueError("the stream ends before its last symbol")
                self._state = self._state << 8 | byte
            symbols[i] = symbol
        return symbols

    def close(self, symbols: np.ndarray, expected: int) -> None:
        """Checks that the stream is exhausted and that all decoded `symbols` have the expected checksum.

        Raises:
            ValueError: Otherwise.
        """
        if self._state != LEAST or next(self._rest, None) is not None:
            raise ValueError("the stream goes on after its last symbol")
        if checksum(symbols) != expected:
            raise ValueError("the symbols have another checksum")


def pack(stream: bytes, count: int, digest: bytes, symbols: np.ndarray) -> bytes:
    """A stream with 20 bytes of header and checksum, to detect damage and other weights.

    Args:
        stream: From an `Encoder`.
        count: Number of images.
        digest: 4 bytes identifying the weights of the probability model.
        symbols: All integers in the stream, for the checksum.
    """
    data = _HEADER.pack(_MAGIC, count, digest, checksum(symbols)) + stream
    return data + zlib.crc32(data).to_bytes(4, "little")


def unpack(data: bytes, digest: bytes) -> tuple[bytes, int, int]:
    """(stream, count, checksum of the symbols) from the output of `pack`.

    Raises:
        ValueError: For other, truncated or altered data, or a digest of other weights.
    """
    if not isinstance(data, (bytes, bytearray)) or data[:4] != _MAGIC:
        raise ValueError(
            f"`data` must be bytes that compress() gave. Received: {type(data).__name__} that holds no compressed "
            "images"
        )
    body, end = bytes(data[:-4]), bytes(data[-4:])
    whole = len(body) >= _HEADER.size and zlib.crc32(body) == int.from_bytes(end, "little")
    if not whole or not _HEADER.unpack_from(body)[1]:  # a count of 0 is none of `compress`
        raise ValueError(
            f"`data` must be bytes that compress() gave. Received: {len(data)} bytes that were cut short or altered"
        )
    _, count, writer, symbols = _HEADER.unpack_from(body)
    if writer != digest:
        raise ValueError(
            f"Images must be compressed with the weights of this model, {digest.hex()}. Received: images of the "
            f"weights {writer.hex()}"
        )
    return body[_HEADER.size :], count, symbols


def checksum(symbols: np.ndarray) -> int:
    """The CRC-32 of integers of any dtype."""
    return zlib.crc32(np.ascontiguousarray(symbols, "<i4").tobytes())
