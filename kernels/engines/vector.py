"""The inner loops that a compiler does not find by itself, written in vectors of 32 bytes.

They are made of AVX2's byte shuffle and multiply-add. `VECTORS` says whether this processor has
them; where it has not, nothing here may be called. Everything is passed by address, unchecked:
callers see to it that what lies there is large enough and stays where it is.
"""

from typing import Any

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

GROUP = 8
"""Rows that are summed side by side, one int32 each."""
SLOTS = 4
"""Weights of a row in a step."""
WINDOW = 16
"""Inputs in which the weights of a step lie."""

# Known to numba by other names than to a type checker.
_CONFIG: Any = numba.config
_intrinsic: Any = intrinsic


def _has_avx2() -> bool:
    try:
        return bool(llvm.get_host_cpu_features().get("avx2"))
    except RuntimeError:  # of a processor that LLVM cannot ask
        return False


VECTORS = not _CONFIG.DISABLE_JIT and _has_avx2()
"""Whether the processor, and numba with its compiler on, can run these loops."""

_BYTES = ir.VectorType(ir.IntType(8), GROUP * SLOTS)
_WINDOW = ir.VectorType(ir.IntType(8), WINDOW)
_PAIRS = ir.VectorType(ir.IntType(16), GROUP * SLOTS // 2)
_SUMS = ir.VectorType(ir.IntType(32), GROUP)


def _function(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(result, arguments)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.avx2.{name}")


def _load(builder: Any, base: Any, offset: Any, kind: Any) -> Any:
    """A value of a type at an address plus bytes, wherever that lies."""
    pointer = builder.inttoptr(builder.add(base, offset), kind.as_pointer())
    value = builder.load(pointer)
    value.align = 1
    return value


def _emit_slot_sums(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    starts, picks, weights, vector, first, last, sums = args
    word = ir.IntType(64)
    if not VECTORS:  # it is compiled as a part of loops that do not come here
        return context.get_dummy_value()
    shuffle = _function(builder, "pshuf.b", _BYTES, [_BYTES, _BYTES])
    multiply = _function(builder, "pmadd.ub.sw", _PAIRS, [_BYTES, _BYTES])
    add_pairs = _function(builder, "pmadd.wd", _SUMS, [_PAIRS, _PAIRS])
    ones = ir.Constant(_PAIRS, [1] * (GROUP * SLOTS // 2))
    twice = ir.Constant(
        ir.VectorType(ir.IntType(32), GROUP * SLOTS), [*range(WINDOW), *range(WINDOW)]
    )
    total = cgutils.alloca_once_value(builder, ir.Constant(_SUMS, [0] * GROUP))
    with cgutils.for_range_slice(builder, first, last, ir.Constant(word, 1)) as (step, _):
        start = _load(builder, starts, builder.shl(step, ir.Constant(word, 1)), ir.IntType(16))
        window = _load(builder, vector, builder.zext(start, word), _WINDOW)
        at = builder.shl(step, ir.Constant(word, 5))
        chosen = builder.call(
            shuffle,
            [builder.shuffle_vector(window, window, twice), _load(builder, picks, at, _BYTES)],
        )
        pairs = builder.call(multiply, [chosen, _load(builder, weights, at, _BYTES)])
        fours = builder.call(add_pairs, [pairs, ones])
        builder.store(builder.add(builder.load(total), fours), total)
    written = builder.store(builder.load(total), builder.inttoptr(sums, _SUMS.as_pointer()))
    written.align = 1
    return context.get_dummy_value()


@_intrinsic
def slot_sums(typing, starts, picks, weights, vector, first, last, sums):
    """Steps `first`..`last` - 1 of a group of rows, summed: `GROUP` int32 at `sums`.

    All are int64, all but the steps addresses. A step multiplies, in each row, `SLOTS` of the
    `WINDOW` bytes at `vector` + `starts`[step], uint8, by as many int8 weights; `picks` says which.
    Sums of two neighbours must fit in int16, whatever the inputs.
    """
    return types.void(*[types.int64] * 7), _emit_slot_sums


def _emit_pointer(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.inttoptr(args[0], cgutils.voidptr_t)


@_intrinsic
def at_address(typing, address):
    """The pointer to an int64 address, for `numba.carray`."""
    return types.voidptr(types.int64), _emit_pointer
