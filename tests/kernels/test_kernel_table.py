"""Tables of int8 functions in the kernels."""

import numpy as np

from kernels.table import look_up


def test_look_up_of_every_int8():
    table = np.random.default_rng(0).integers(-128, 128, 256).astype(np.int8)
    source = np.arange(-128, 128, dtype=np.int8)
    output = np.empty_like(source)
    look_up(table, source, output)
    np.testing.assert_array_equal(output, table)
