"""What mutation testing found untested: edges, defaults, and two libraries in one call."""

import numpy as np

from minigan import Dense, to_numpy


def test_eq1_eq1a_eq1b_eq1c_eq1d_by_hand_where_every_shape_is_square(lib):
    """m = n = k = 2, where * would broadcast in silence: only the numbers can tell."""
    x, W, b, dy = (
        lib.array(np.array(rows, lib.dtypes[-1]))
        for rows in ([[1, 2], [3, 4]], [[5, 6], [7, 8]], [10, 20], [[1, -1], [2, 3]])
    )
    layer = Dense(2, 2)
    y = layer.forward(x, W, b)
    dW, db = layer.dparams(dy, x)
    expected = {
        "y": (y, [[1 * 5 + 2 * 7 + 10, 1 * 6 + 2 * 8 + 20], [53, 70]]),
        "dx": (layer.dx(dy, x, y, W, b), [[5 - 6, 7 - 8], [2 * 5 + 3 * 6, 2 * 7 + 3 * 8]]),
        "dW": (dW, [[1 * 1 + 3 * 2, -1 * 1 + 3 * 3], [2 * 1 + 4 * 2, -2 * 1 + 4 * 3]]),
        "db": (db, [3, 2]),
        "tangent": (layer.tangent(dy, x, y, W, b), [[5 - 7, 6 - 8], [31, 36]]),
    }
    for name, (actual, wanted) in expected.items():
        np.testing.assert_array_equal(to_numpy(actual), wanted, err_msg=name)
