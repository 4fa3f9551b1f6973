"""The lines of TFLite's table for branches, and for what decides about them."""

import numpy as np
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.IfOptions import IfOptions

from compiler.frontends.tflite import branches, conditions
from compiler.frontends.tflite import constraints as must
from compiler.frontends.tflite.entry import Entry


def _comparison(holds: conditions.Compare) -> Entry:
    return Entry(
        (
            must.two_inputs,
            conditions.one_int8_and_a_constant,
            conditions.scales_below_one,
            conditions.only_decides,
        ),
        conditions.compare(holds),
    )


COMPARISONS: dict[int, Entry] = {
    BuiltinOperator.EQUAL: _comparison(np.equal),
    BuiltinOperator.GREATER: _comparison(np.greater),
    BuiltinOperator.GREATER_EQUAL: _comparison(np.greater_equal),
    BuiltinOperator.LESS: _comparison(np.less),
    BuiltinOperator.LESS_EQUAL: _comparison(np.less_equal),
    BuiltinOperator.NOT_EQUAL: _comparison(np.not_equal),
}

BRANCHES: dict[int, Entry] = {
    **COMPARISONS,
    BuiltinOperator.IF: Entry(
        (branches.decided, branches.known_inputs, branches.integer_outputs, branches.has_graphs),
        branches.convert,
        (BuiltinOptions.IfOptions, IfOptions),
        common=(must.not_compressed, must.no_empty_output),
    ),
}
