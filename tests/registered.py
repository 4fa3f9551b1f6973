"""What the installed TensorFlow Lite Micro registers, and which of it runs on int8.

`python -m tests.registered` prints a line for every builtin operator that it knows: its name, and
`runs` if a model of it runs, one or a pair of int8 in and one out. Each is tried in a process of
its own, as TensorFlow Lite Micro need not survive what it refuses.
"""

import os
from collections.abc import Iterator

import numpy as np
from tflite.BuiltinOperator import BuiltinOperator

from tests.tflite_builder import ModelSpec, write

_NO_OPERATORS = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}
_PAIRS = {"FLOOR_DIV", "FLOOR_MOD"}


def builtin_names() -> list[str]:
    """Of all builtin operators of the schema."""
    return sorted(
        name
        for name, code in vars(BuiltinOperator).items()
        if isinstance(code, int) and name not in _NO_OPERATORS
    )


def _model(name: str) -> bytes:
    m = ModelSpec()
    x, y = (m.tensor((1, 1), scale=np.float32(0.1)) for _ in range(2))
    m.operator(name, [x] * (2 if name in _PAIRS else 1), [y])
    m.inputs, m.outputs = [x], [y]
    return write(m)


def registered() -> Iterator[tuple[str, bool]]:
    """(name, whether it runs) of what is registered."""
    from tflite_micro.python.tflite_micro import runtime

    for name in builtin_names():
        data = _model(name)
        read, written = os.pipe()
        if not (child := os.fork()):
            for stream in (1, 2):
                os.dup2(written, stream)
            try:
                made = runtime.Interpreter.from_bytes(data, arena_size=1 << 16)
                made.set_input(np.ones((1, 1), np.int8), 0)
                made.invoke()
                os.write(written, b"it runs")
            except Exception as error:
                os.write(written, str(error).encode())
            os._exit(0)
        os.close(written)
        with os.fdopen(read, "rb") as stream_of_child:
            said = stream_of_child.read()
        os.waitpid(child, 0)
        if b"Failed to get registration" not in said and b"find op" not in said:
            yield name, b"it runs" in said


if __name__ == "__main__":
    for found, runs in registered():
        print(found, "runs" if runs else "", flush=True)
