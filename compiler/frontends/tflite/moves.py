"""Operators that only move elements: each becomes the boxes that it copies.

A function here gives the pieces of one of them. Where TensorFlow Lite Micro reads or writes outside
of a tensor, or leaves elements unwritten, it has no answer, and the model is refused.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from tflite.TensorType import TensorType

from compiler.frontends.tflite.convert import Convert, Number
from compiler.frontends.tflite.site import Site
from npu.model.boxes import Box, Piece, Run, mapped, runs_of, simplified
from npu.model.operators.move import Copy
from npu.model.operators.update import ReadSlice
from npu.model.references import Operator

MAX_PIECES = 1 << 14
"""Most boxes that an operator becomes."""

Pieces = Callable[[Site], Iterable[Piece]]
"""The pieces of an operator; sources and targets are positions among its moved tensors."""

Fill = Callable[[Site], float | None]
"""What outputs hold where no piece writes."""


def moving(pieces: Pieces, at: Sequence[int] | None = (0,), fill: Fill | None = None) -> Convert:
    """The conversion of an operator that moves its inputs `at`, all of them by default None."""

    def convert(name: str, site: Site, tensor: Number) -> Operator:
        moved = range(len(site.inputs)) if at is None else at
        made: list[Piece] = []
        for piece in pieces(site):
            made += simplified(piece)
            site.require(len(made) <= MAX_PIECES, f"it takes more than {MAX_PIECES} copies")
        return Copy(
            name,
            tuple(tensor(site.inputs[p]) for p in moved),
            tuple(tensor(i) for i in site.outputs),
            tuple(made),
            None if fill is None else fill(site),
        )

    return convert


def _pair(site: Site, at: int = 0, source: int = 0, target: int = 0) -> Piece:
    """All of an input to all of an output; to be cut into what moves."""
    read, written = (Box.whole(t.shape) for t in (site.input(at), site.output(target)))
    return Piece(source, target, read, written)


def _require_shape(site: Site, shape: Sequence[int], output: int = 0) -> None:
    found = site.output(output).shape
    site.require(tuple(shape) == found, f"its output must be {list(shape)}, not {list(found)}")


# --- tensors side by side -------------------------------------------------------------------------
def concatenation(site: Site) -> Iterator[Piece]:
    """Inputs one behind the other along an axis."""
    output = site.output()
    rank = len(output.shape)
    axis = site.axis(site.options.Axis() if site.options is not None else 0, rank)
    start = 0
    for position in range(len(site.inputs)):
        shape = site.input(position).shape
        like = output.shape[:axis] + shape[axis : axis + 1] + output.shape[axis + 1 :]
        site.require(shape == like, f"its input {position} must be {list(like)}, not {list(shape)}")
        written = Box.whole(output.shape).cut(axis, start, shape[axis])
        yield Piece(position, 0, Box.whole(shape), written)
        start += shape[axis]
    _require_shape(site, (*output.shape[:axis], start, *output.shape[axis + 1 :]))


def split(site: Site) -> Iterator[Piece]:
    """Equal parts of an axis."""
    return _parts(site, data=1, axis=0)


def split_v(site: Site) -> Iterator[Piece]:
    """Parts of an axis, of the sizes that the outputs have."""
    return _parts(site, data=0, axis=2)


def _parts(site: Site, data: int, axis: int) -> Iterator[Piece]:
    shape = site.input(data).shape
    (value,) = site.numbers(axis, 1)
    at, start = site.axis(value, len(shape)), 0
    for position in range(len(site.outputs)):
        output = site.output(position).shape
        size = output[at] if len(output) == len(shape) else 0
        _require_shape(site, (*shape[:at], size, *shape[at + 1 :]), position)
        site.require(start + size <= shape[at], f"its outputs take more than axis {at} has")
        yield Piece(0, position, Box.whole(shape).cut(at, start, size), Box.whole(output))
        start += size
    site.require(start == shape[at], f"its outputs take {start} of the {shape[at]} on axis {at}")


def pack(site: Site) -> Iterator[Piece]:
    """Inputs side by side along a new axis."""
    shape, output = site.input(0).shape, site.output().shape
    axis = site.axis(site.options.Axis() if site.options is not None else 0, len(shape) + 1)
    _require_shape(site, (*shape[:axis], len(site.inputs), *shape[axis:]))
    for position in range(len(site.inputs)):
        each = site.input(position).shape
        site.require(each == shape, f"its inputs must be {list(shape)}, not {list(each)}")
        written = Box.whole(output).cut(axis, position, 1)
        yield Piece(position, 0, Box.whole(shape).insert(axis), written)


def unpack(site: Site) -> Iterator[Piece]:
    """Each index of an axis becomes an output."""
    shape = site.input(0).shape
    axis = site.axis(site.options.Axis() if site.options is not None else 0, len(shape))
    site.require(
        len(site.outputs) == shape[axis],
        f"it must have an output for each of the {shape[axis]} on axis {axis}",
    )
    for position in range(len(site.outputs)):
        _require_shape(site, (*shape[:axis], *shape[axis + 1 :]), position)
        written = Box.whole(site.output(position).shape).insert(axis)
        yield Piece(0, position, Box.whole(shape).cut(axis, position, 1), written)


# --- parts of a tensor ----------------------------------------------------------------------------
def slice_(site: Site) -> Iterator[Piece]:
    """A box of the input; a size of -1 reaches to the end."""
    shape = site.input(0).shape
    begin, size = (site.numbers(p, len(shape)) for p in (1, 2))
    piece = _pair(site)
    read = piece.read
    for axis, (start, count) in enumerate(zip(begin, size, strict=True)):
        count = shape[axis] - start if count == -1 else count
        site.require(
            start >= 0 and count >= 0 and start + count <= shape[axis],
            f"{count} from {start} are not all in axis {axis} of {list(shape)}",
        )
        read = read.cut(axis, start, count)
    # TFLM writes them in order, whatever shape the output has.
    output = site.output().shape
    written = Box.whole(read.sizes)
    site.require(
        written.n == Box.whole(output).n,
        f"its output must be {list(read.sizes)}, not {list(output)}",
    )
    yield Piece(0, 0, read, written)


def slicing(name: str, site: Site, tensor: Number) -> Operator | None:
    """SLICE. One whose begin is only known when it runs has sizes that are known all the same."""
    if site.constant(1) is not None:
        return moving(slice_)(name, site, tensor)
    # A size of -1 would depend on the begin.
    _require_shape(site, site.numbers(2, len(site.input(0).shape)))
    return ReadSlice(name, tensor(site.inputs[0]), tensor(site.inputs[1]), tensor(site.outputs[0]))


def strided_slice(site: Site) -> Iterator[Piece]:
    """Every n-th index of each axis; one that is shrunk is picked at one index, and left out."""
    shape = site.input(0).shape
    begin, end, stride = (site.numbers(p, len(shape)) for p in (1, 2, 3))
    read, kept = Box.whole(shape), []
    for axis, step in enumerate(stride):
        site.require(step != 0, f"its stride of axis {axis} must not be 0")
        bit, size = 1 << axis, shape[axis]
        first = _clamped(begin[axis], size, step)
        if site.options.BeginMask() & bit:
            first = 0 if step > 0 else size - 1
        if site.options.ShrinkAxisMask() & bit:
            # Elsewhere TFLM leaves its output as it was.
            site.require(
                step > 0 and 0 <= first < size,
                f"it must pick one of {size} indices of axis {axis}, not {begin[axis]} by {step}",
            )
            read = read.cut(axis, first, 1)
            continue
        last = _clamped(end[axis], size, step)
        if site.options.EndMask() & bit:
            last = size if step > 0 else -1
        count = max(0, -((first - last) // step))
        read = read.cut(axis, first, count, step)
        kept.append(count)
    _require_shape(site, kept)
    yield Piece(0, 0, read, Box.whole(read.sizes))


def _clamped(index: int, size: int, step: int) -> int:
    index += size if index < 0 else 0
    return min(max(index, 0), size) if step > 0 else min(max(index, -1), size - 1)


# --- axes in another order, or more of them -------------------------------------------------------
def transpose(site: Site) -> Iterator[Piece]:
    """Axes in another order."""
    shape = site.input(0).shape
    axes = site.numbers(1, len(shape))
    site.require(
        sorted(axes) == list(range(len(shape))), f"it must name each axis once, not {axes}"
    )
    _require_shape(site, [shape[axis] for axis in axes])
    piece = _pair(site)
    yield Piece(0, 0, piece.read.transpose(axes), piece.written)


def reverse(site: Site) -> Iterator[Piece]:
    """Some axes backwards."""
    shape = site.input(0).shape
    axes = sorted(site.axis(value, len(shape)) for value in site.numbers(1))
    # As TFLM has it.
    site.require(
        len(axes) > 0 and axes == list(range(axes[0], axes[0] + len(axes))),
        f"its axes must be neighbours, not {axes}",
    )
    _require_shape(site, shape)
    piece = _pair(site)
    read = piece.read
    for axis in axes:
        read = read.cut(axis, shape[axis] - 1, shape[axis], -1)
    yield Piece(0, 0, read, piece.written)


def broadcast_to(site: Site) -> Iterator[Piece]:
    """Axes of size 1 repeated."""
    shape, wanted = site.input(0).shape, site.numbers(1)
    _require_shape(site, wanted)
    site.require(
        len(shape) <= len(wanted)
        and all(n in (1, m) for n, m in zip(shape[::-1], wanted[::-1], strict=False)),
        f"{list(shape)} cannot be repeated to {wanted}",
    )
    read = Box.whole(shape)
    for _ in range(len(wanted) - len(shape)):
        read = read.insert(0)
    for axis, count in enumerate(wanted):
        if read.sizes[axis] != count:
            read = read.cut(axis, 0, count, 0)
    yield Piece(0, 0, read, Box.whole(wanted))


def filled(site: Site) -> Iterator[Piece]:
    """One element everywhere."""
    shape = site.output().shape
    _require_shape(site, site.numbers(0))
    site.require(site.input(1).shape == (), f"it must fill with one element, not {site.input(1)}")
    yield Piece(0, 0, Box(0, shape, (0,) * len(shape)), Box.whole(shape))


def nothing(site: Site) -> Iterator[Piece]:
    """No element of the input: only its shape counts."""
    _require_shape(site, site.input(0).shape)
    yield from ()


def zero(site: Site) -> float:
    """The integer 0, whatever the zero point is; so does TFLM."""
    return 0


# --- borders --------------------------------------------------------------------------------------
def pad(site: Site) -> Iterator[Piece]:
    """The input within a border."""
    shape = site.input(0).shape
    sides = _paddings(site, shape)
    _require_shape(site, [n + a + b for n, (a, b) in zip(shape, sides, strict=True)])
    piece = _pair(site)
    written = piece.written
    for axis, (before, _) in enumerate(sides):
        written = written.cut(axis, before, shape[axis])
    yield Piece(0, 0, piece.read, written)
    if site.given(2) and site.constant(2) is None:
        yield from _border(site, sides)


def pad_fill(site: Site) -> float | None:
    """What a border holds: the value that is given, or else what stands for zero."""
    if not site.given(2):
        return site.output().zero_point if site.output().type == TensorType.INT8 else 0
    value = site.constant(2)
    return None if value is None else value.reshape(-1)[0].item()


def padding(name: str, site: Site, tensor: Number) -> Operator | None:
    """PAD and PADV2. A value that is not known yet is an input of the copies."""
    known = not site.given(2) or site.constant(2) is not None
    return moving(pad, (0,) if known else (0, 2), pad_fill)(name, site, tensor)


def _border(site: Site, sides: Sequence[tuple[int, int]]) -> Iterator[Piece]:
    """The computed value, repeated over all that the input does not fill: two slabs an axis."""
    shape = site.output().shape
    box = Box.whole(shape)
    for axis, (before, after) in enumerate(sides):
        for start, count in ((0, before), (shape[axis] - after, after)):
            written = box.cut(axis, start, count)
            yield Piece(1, 0, Box(0, written.sizes, (0,) * len(shape)), written)
        box = box.cut(axis, before, shape[axis] - before - after)


def _paddings(site: Site, shape: Sequence[int]) -> list[tuple[int, int]]:
    flat = site.numbers(1, 2 * len(shape))
    site.require(all(n >= 0 for n in flat), f"a border must not be negative, as in {flat}")
    return list(zip(flat[::2], flat[1::2], strict=True))


def mirror_pad(site: Site) -> Iterator[Piece]:
    """The input within a border of its own elements, mirrored with or without the outermost."""
    shape = site.input(0).shape
    sides = _paddings(site, shape)
    _require_shape(site, [n + a + b for n, (a, b) in zip(shape, sides, strict=True)])
    edge = 1 if site.options is None or site.options.Mode() == 0 else 0
    axes: list[list[Run]] = []
    for size, (before, after) in zip(shape, sides, strict=True):
        site.require(
            max(before, after) + edge <= size or before == after == 0,
            f"a border of {max(before, after)} is too wide to mirror {size} elements",
        )
        left = range(before + edge - 1, edge - 1, -1)
        right = range(size - 1 - edge, size - 1 - edge - after, -1)
        axes.append(runs_of([*left, *range(size), *right]))
    yield from mapped(_pair(site), axes)
