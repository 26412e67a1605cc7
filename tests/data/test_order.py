"""The order of the images: a permutation, equal in NumPy and TensorFlow, and statistically random."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import chisquare, kstest

from cnnzoo.data import order


@pytest.mark.parametrize("n", [1, 2, 3, 5, 17, 100, 1437])
def test_order_is_a_permutation_in_each_epoch(n):
    for epoch in range(3):
        assert sorted(order(n, 4, epoch, np.arange(n))) == list(range(n))


def test_order_of_single_positions_equals_whole_order():
    whole = order(1437, 1, 2, np.arange(1437))
    assert [int(order(1437, 1, 2, np.array([i]))[0]) for i in (0, 700, 1436)] == whole[[0, 700, 1436]].tolist()


def test_order_in_graph_equals_numpy():
    graph = tf.function(lambda epoch, positions: order(60_000, 7, epoch, positions))
    for epoch in (0, 3):
        expected = order(60_000, 7, epoch, np.arange(60_000))
        found = graph(tf.constant(epoch, tf.int64), tf.range(60_000, dtype=tf.int64))
        np.testing.assert_array_equal(found, expected)


def test_order_differs_between_seeds_and_epochs():
    orders = {tuple(order(50, seed, epoch, np.arange(50))) for seed in range(20) for epoch in range(20)}
    assert len(orders) == 400


def test_order_of_four_images_reaches_all_permutations():
    orders = {tuple(order(4, seed, epoch, np.arange(4))) for seed in range(30) for epoch in range(30)}
    assert len(orders) == 24


def test_order_is_uniform_with_uncorrelated_neighbors():
    n = 10_000
    p_values, correlations = [], []
    for seed in range(20):
        index = order(n, seed, 0, np.arange(n))
        table, _, _ = np.histogram2d(np.arange(n), index, bins=10)
        p_values.append(chisquare(table.ravel()).pvalue)
        correlations.append(np.corrcoef(index[:-1], index[1:])[0, 1])
    assert kstest(p_values, "uniform", alternative="greater").pvalue > 1e-4  # no excess of small p-values
    assert np.abs(correlations).max() < 5 / np.sqrt(n)  # five standard deviations


def test_order_of_large_n_is_distinct_uniform_and_same_in_graph():
    # All crops, in eight symmetries, of 100,000 photographs of 4000x3000 pixels.
    n, positions = 8 * 100_000 * 4000 * 3000, np.arange(0, 10**6)
    index = order(n, 3, 1, positions)
    assert index.min() >= 0 and index.max() < n and len(set(index.tolist())) == len(positions)
    assert chisquare(np.histogram(index, 20, (0, n))[0]).pvalue > 1e-4
    found = tf.function(lambda at: order(n, 3, tf.constant(1, tf.int64), at))(tf.constant(positions[:1000]))
    np.testing.assert_array_equal(found, index[:1000])
