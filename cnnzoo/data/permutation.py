"""Shuffling as a pure function: the order of the images in any epoch, at any position.

Unlike a shuffle buffer, this permutation is not stored and needs no refill to reach a position. It is a Feistel network
over pairs (left, right) with left < a and right < b, where a * b >= n, with cycle walking for values outside of [0, n)
(Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). It uses only 64-bit sums, products and remainders
that cannot overflow, so that NumPy and a TensorFlow graph give the same numbers.
"""

from typing import Any

import numpy as np

ROUNDS = 6
_PRIME = 2_147_483_647  # 2^31 - 1: products of two numbers below it fit in 63 bits


def order(n: int, seed: int, epoch: Any, positions: Any) -> Any:
    """The index of the image at each position of an epoch.

    Args:
        n: Number of images, 1 <= n < 2^50.
        seed: Seed of the training.
        epoch: Epoch, from 0; an integer or an int64 tensor.
        positions: Positions in [0, n); an int64 NumPy array or tensor of any shape.

    Returns:
        int64 indices in [0, n) in the shape of `positions`; a permutation over all positions.
    """
    a = int(np.ceil(np.sqrt(n)))
    b = -(-n // a)
    keys = _keys(seed, epoch)
    index = _permute(positions, a, b, keys)
    # At most a - 1 < sqrt(n) of the a * b values are outside, so that more than a few steps of cycle walking are
    # rare. The number of steps is bounded by the number of these values.
    return _walk(index, n, lambda i: _permute(i, a, b, keys))


def few(n: int, most: int) -> np.ndarray:
    """At most `most` indices below n, chosen at random but the same in every run, in ascending order."""
    return np.arange(n) if n <= most else np.sort(order(n, 0, 0, np.arange(most)))


def _keys(seed: int, epoch: Any) -> list[Any]:
    """The round keys: numbers below the prime, from a hash of seed, epoch and round."""
    base = np.random.SeedSequence(seed).generate_state(2 * ROUNDS, np.uint32).astype(np.int64) % _PRIME
    keys = []
    for r in range(ROUNDS):
        key = (int(base[r]) + (epoch % _PRIME) * (int(base[ROUNDS + r]) | 1)) % _PRIME
        keys.append((key * 48_271 + 11) % _PRIME)
    return keys


def _permute(index: Any, a: int, b: int, keys: list[Any]) -> Any:
    """The Feistel network over [0, a * b)."""
    left, right = index // b, index % b
    for r, key in enumerate(keys):
        if r % 2 == 0:
            left = (left + _mix(right, key)) % a
        else:
            right = (right + _mix(left, key)) % b
    return left * b + right


def _mix(x: Any, key: Any) -> Any:
    """The round function: two modular squarings, for a nonlinear mix of both arguments below the prime."""
    x = (x + key) % _PRIME
    x = (x * x + key) % _PRIME
    return (x * x + x) % _PRIME // 8


def _walk(index: Any, n: int, again: Any) -> Any:
    """Applies `again` to the values outside of [0, n) until there are none."""
    if isinstance(index, np.ndarray):
        outside = index >= n
        while outside.any():
            index[outside] = again(index[outside])
            outside = index >= n
        return index
    import tensorflow as tf

    return tf.while_loop(
        lambda i: tf.reduce_any(i >= n), lambda i: (tf.where(i >= n, again(i), i),), (index,), parallel_iterations=1
    )[0]
