"""What TensorFlow Lite Micro answers."""

from collections.abc import Sequence

import numpy as np

from tests.public.calls import Call

ARENAS = (1 << 20, 1 << 23, 1 << 26)
"""Sizes that are tried, in bytes; no model says what it needs."""


class Refused(Exception):
    """TensorFlow Lite Micro does not run a model."""


def answers(data: bytes, calls: Sequence[Call], n_outputs: int) -> list[list[np.ndarray]]:
    """The outputs of every call, one after the other: state carries over.

    Raises Refused where it does not take the model or a call.
    """
    from tflite_micro.python.tflite_micro import runtime

    for arena in ARENAS:
        try:
            interpreter = runtime.Interpreter.from_bytes(data, arena_size=arena)
            break
        except RuntimeError as error:
            refused = Refused(str(error))
    else:
        raise refused
    found = []
    for call in calls:
        try:
            for position, array in enumerate(call):
                interpreter.set_input(array, position)
            interpreter.invoke()
            found.append([np.array(interpreter.get_output(i)) for i in range(n_outputs)])
        except (RuntimeError, ValueError) as error:
            raise Refused(str(error)) from error
    return found
