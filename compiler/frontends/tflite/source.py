"""A TFLite file opened: its structure, read without believing any count or index in it."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tflite.BuiltinOperator import BuiltinOperator
from tflite.Model import Model

from compiler.frontends.formats import MAX_FILE_BYTES
from compiler.frontends.forms import no_model
from compiler.frontends.tflite.schema import OPERATOR_NAMES
from npu.errors import ModelError, NpuError
from npu.files import read_file

# The flatbuffers runtime checks nothing; on damaged offsets it raises whatever Python does.
_DAMAGE = (
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)

_MAX_ITEMS = 1 << 16
"""Most tensors, operators or buffers of a model; more is damage that would only cost time."""
_MAX_OPERANDS = 64

Code = int | str
"""An operator's number in the schema, or a custom operator's name."""

_Read = TypeVar("_Read")


class Source:
    """A file, and where in it the reader is.

    Attributes
    ----------
    name : the file's, without its folder.
    place : where the reader is, for the message about damage.
    model, subgraph : the schema's objects; set by `open` and `turn_to`.
    """

    model: Any
    subgraph: Any

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.place = "header"
        self._prefix = ""
        self._data = read_file(path, MAX_FILE_BYTES, ModelError, no_model, path.name)

    def guarded(self, read: Callable[[], _Read]) -> _Read:
        """What `read` gives. Raises ModelError with the place where damage makes it fail."""
        try:
            return read()
        except NpuError:
            raise
        except _DAMAGE as error:
            detail = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(
                f"{self.name}: damaged at its {self.place}: {detail:.120}; get the file again"
            ) from None

    def damaged(self, what: str) -> ModelError:
        """The error that something at this place cannot be."""
        return ModelError(f"{self.name}: {self.place}: {what}")

    def open(self) -> int:
        """Begin to read; returns how many subgraphs there are, at least one."""
        self.model = Model.GetRootAs(self._data, 0)
        subgraphs = self.count("subgraph", self.model.SubgraphsLength())
        if subgraphs == 0:
            raise self.damaged("it has no subgraph, so there is nothing to run")
        return subgraphs

    def turn_to(self, number: int, prefix: str = "") -> None:
        """Open a subgraph, the names of whose operators begin with `prefix`."""
        self._prefix = prefix
        self.subgraph = self.model.Subgraphs(number)
        self.buffers = self.count("buffer", self.model.BuffersLength())

    def operators(self) -> range:
        """The indices of the subgraph's operators."""
        return range(self.count("operator", self.subgraph.OperatorsLength()))

    def count(self, what: str, count: int) -> int:
        """`count`, if the file can hold as many items."""
        self.place = f"list of {what}s"
        # Every item takes an offset of four bytes.
        if count > min(_MAX_ITEMS, len(self._data) // 4):
            raise self.damaged(f"it claims {count} {what}s, more than the file can hold")
        return count

    def indices(self, vector: Any, tensors: int, *, optional: bool) -> tuple[int, ...]:
        """A vector of tensor indices, -1 for an absent one; the runtime gives 0 for no vector."""
        if isinstance(vector, int):
            return ()
        if len(vector) > _MAX_OPERANDS:
            raise self.damaged(f"it claims {len(vector)} operands, at most {_MAX_OPERANDS} occur")
        for index in vector:
            if not (-1 if optional else 0) <= index < tensors:
                raise self.damaged(f"a tensor index must be below {tensors}, not {index}")
        return tuple(int(i) for i in vector)

    def operator(self, index: int) -> tuple[Code, str, Any]:
        """Code, name and table of an operator; the code of a custom one is its name."""
        self.place = f"operator {index}"
        table = self.subgraph.Operators(index)
        codes = self.model.OperatorCodesLength()
        if table.OpcodeIndex() >= codes:
            raise self.damaged(f"its code must be below {codes}, not {table.OpcodeIndex()}")
        code_table = self.model.OperatorCodes(table.OpcodeIndex())
        code: Code = max(code_table.BuiltinCode(), code_table.DeprecatedBuiltinCode())
        custom = code_table.CustomCode()
        suffix = f" {printable_name(custom.decode('utf-8', 'replace')[:40])}" if custom else ""
        name = f"{self._prefix}operator {index} ({kind_name(code)}{suffix})"
        if code == BuiltinOperator.CUSTOM and custom:
            code = custom.decode("utf-8", "replace")
        return code, name, table


def kind_name(code: Code) -> str:
    """What the schema calls an operator; a custom one its own name."""
    return (
        printable_name(code[:40])
        if isinstance(code, str)
        else OPERATOR_NAMES.get(code, f"number {code}")
    )


def printable_name(name: str) -> str:
    """A name fit for one line of a terminal, whatever the file holds."""
    return "".join(c if c.isprintable() else "?" for c in name)
