"""The entropy coder against the entropy of its input."""

import numpy as np
import pytest

from cnnzoo.nn import entropy_coding
from cnnzoo.nn.entropy_coding import Decoder, Encoder


def skewed(n: int, symbols: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n random symbols, (n,), and the distribution of each, (n, symbols)."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(symbols, 0.2), n)
    return np.array([rng.choice(symbols, p=p) for p in probabilities]), probabilities


@pytest.mark.parametrize("symbols", [1, 2, 7, 512])
def test_frequencies_are_integers_near_probabilities(symbols):
    _, probabilities = skewed(50, symbols)
    counts = entropy_coding.frequencies(probabilities)
    assert counts.dtype == np.int64 and counts.min() >= 1
    np.testing.assert_array_equal(counts.sum(axis=1), 2**16)
    # Each symbol has at least one unit; these units and the rounding remainder are at most 2 per symbol.
    np.testing.assert_allclose(counts / 2**16, probabilities, atol=2 * symbols / 2**16)


@pytest.mark.parametrize(
    "bad", [np.full((2, 3), 0.5), np.array([[1.5, -0.5]]), np.full((1, 2), np.nan), np.ones(3), np.ones((1, 2**15 + 1))]
)
def test_frequencies_rejects_invalid_probabilities(bad):
    with pytest.raises(ValueError, match=r"must .*Received: "):
        entropy_coding.frequencies(bad)


@pytest.mark.parametrize(("n", "symbols"), [(1, 2), (1000, 3), (3000, 300)])
def test_decoder_returns_encoded_symbols(n, symbols):
    values, probabilities = skewed(n, symbols)
    counts = entropy_coding.frequencies(probabilities)
    encoder = Encoder()
    for part in np.array_split(np.arange(n), 5):
        encoder.write(values[part], counts[part])
    stream = encoder.to_bytes()
    decoder = Decoder(stream)
    found = np.concatenate([decoder.read(counts[i : i + 7]) for i in range(0, n, 7)])  # in chunks of a different size
    np.testing.assert_array_equal(found, values)
    decoder.close(found, entropy_coding.checksum(values))


def test_encoder_stream_length_matches_information_content():
    values, probabilities = skewed(20_000, 64)
    counts = entropy_coding.frequencies(probabilities)
    encoder = Encoder()
    encoder.write(values, counts)
    bits = 8 * len(encoder.to_bytes())
    information = -np.log2(counts[np.arange(len(values)), values] / 2**16).sum()
    # 4 bytes of state; a state of at least 2^24 resolves 2^16 to 1 / 256, hence less than 0.006 bits per symbol.
    assert information <= bits + 1 and bits < information + 40 + 0.006 * len(values)
    # The symbols are drawn from the distributions, so that the expected information is the entropy.
    entropy = -np.sum(probabilities * np.log2(np.maximum(probabilities, 1e-300)), axis=1)
    assert bits / len(values) == pytest.approx(entropy.mean(), abs=0.05)  # five standard errors


def test_encoder_cost_of_certain_symbols_is_near_zero():
    counts = entropy_coding.frequencies(np.tile([1.0, 0.0], (10_000, 1)))
    encoder = Encoder()
    encoder.write(np.zeros(10_000, np.int64), counts)
    assert len(encoder.to_bytes()) < 4 + 10_000 / 8 * 0.006


def test_decoder_rejects_wrong_length_and_checksum():
    values, probabilities = skewed(500, 16)
    counts = entropy_coding.frequencies(probabilities)
    encoder = Encoder()
    encoder.write(values, counts)
    stream = encoder.to_bytes()
    with pytest.raises(ValueError, match="ends before its last symbol"):
        Decoder(stream[:-1]).read(counts)
    with pytest.raises(ValueError, match="at least 4"):
        Decoder(stream[:3])
    longer = Decoder(stream + b"\0")
    with pytest.raises(ValueError, match="goes on after its last symbol"):
        longer.close(longer.read(counts), entropy_coding.checksum(values))
    right = Decoder(stream)
    with pytest.raises(ValueError, match="another checksum"):
        right.close(right.read(counts), entropy_coding.checksum(values + 1))


def test_unpack_inverts_pack_and_rejects_altered_data():
    symbols = np.arange(6).reshape(1, 2, 3)
    data = entropy_coding.pack(b"stream", 1, b"abcd", symbols)
    assert entropy_coding.unpack(data, b"abcd") == (b"stream", 1, entropy_coding.checksum(symbols.astype(np.uint8)))
    for i in range(len(data)):
        altered = bytes([*data[:i], data[i] ^ 1, *data[i + 1 :]])
        with pytest.raises(ValueError, match=r"cut short or altered|holds no compressed images"):
            entropy_coding.unpack(altered, b"abcd")
        with pytest.raises(ValueError, match=r"cut short or altered|holds no compressed images"):
            entropy_coding.unpack(data[:i], b"abcd")
    with pytest.raises(
        ValueError, match=r"the weights of this model, 78797a30. Received: images of the weights 61626364"
    ):
        entropy_coding.unpack(data, b"xyz0")
    with pytest.raises(ValueError, match="Received: str"):
        entropy_coding.unpack("CNZ1", b"abcd")
    with pytest.raises(ValueError, match="cut short or altered"):
        entropy_coding.unpack(entropy_coding.pack(b"stream", 0, b"abcd", symbols), b"abcd")
