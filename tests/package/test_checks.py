"""Tests of the checks of arguments."""

import numpy as np
import pytest

from cnnzoo.utils.checks import check_integer


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(3)])
def test_check_integer_returns_python_integer(value):
    checked = check_integer("steps", value, 2)
    assert type(checked) is int and checked == value


@pytest.mark.parametrize("value", [1, 2.0, True, "2", None, np.float32(2), np.array([2]), float("nan")])
def test_check_integer_names_argument(value):
    with pytest.raises(ValueError, match=r"`steps` must be an integer >= 2\. Received: "):
        check_integer("steps", value, 2)
