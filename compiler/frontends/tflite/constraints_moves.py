"""Constraints of operators that only move elements. Factories give a constraint its words."""

from collections.abc import Sequence

from tflite.TensorType import TensorType

from compiler.frontends.tflite.schema import TYPE_NAMES
from compiler.frontends.tflite.site import Constraint, Site


def _named(constraint: Constraint, words: str) -> Constraint:
    constraint.__doc__ = words
    return constraint


def inputs(*counts: int) -> Constraint:
    """There are so many inputs, all of them given."""
    few = " or ".join(map(str, counts)) if len(counts) < 4 else f"{counts[0]} to {counts[-1]}"
    verb = "is" if counts[-1] == 1 else "are"
    return _named(
        lambda site: len(site.inputs) in counts and site.given(*range(len(site.inputs))),
        f"there {verb} {few} input{'s' if counts[-1] > 1 else ''}",
    )


def types(*names: str, at: Sequence[int] | None = (0,)) -> Constraint:
    """What moves is of one of these types: the inputs `at` (None: all) and the outputs."""

    def constraint(site: Site) -> bool:
        read = range(len(site.inputs)) if at is None else at
        tensors = [site.input(p) for p in read] + [site.output(p) for p in range(len(site.outputs))]
        kinds = {TYPE_NAMES.get(t.type, "").lower() for t in tensors}
        return len(kinds) == 1 and kinds <= set(names)

    return _named(constraint, f"what moves is of one type: {', '.join(names)}")


def constant(position: int, what: str, *kinds: str) -> Constraint:
    """An input that says what moves is known when the model is read."""
    kinds = kinds or ("int32", "int64")

    def constraint(site: Site) -> bool:
        tensor = site.input(position)
        return tensor.is_constant and TYPE_NAMES.get(tensor.type, "").lower() in kinds

    return _named(constraint, f"{what} is a constant of {' or '.join(kinds)}")


def integers(position: int, what: str) -> Constraint:
    """An input of int32 or int64, a constant or not."""
    return _named(
        lambda site: TYPE_NAMES.get(site.input(position).type, "").lower() in ("int32", "int64"),
        f"{what} is int32 or int64",
    )


def rank(most: int) -> Constraint:
    """So many dimensions."""
    return _named(
        lambda site: max(len(site.input(0).shape), len(site.output().shape)) <= most,
        f"there are at most {most} dimensions",
    )


def same_type(site: Site) -> bool:
    """input and output are of one type"""
    return site.input(0).type == site.output().type


def squeezed(site: Site) -> bool:
    """the output is the input without its dimensions of 1, or without those that options name"""
    shape = site.input(0).shape
    told = site.options is not None and site.options.SqueezeDimsLength() > 0
    named = site.options.SqueezeDimsAsNumpy().tolist() if told else []
    left = {axis + len(shape) * (axis < 0) for axis in named}
    if any(not 0 <= axis < len(shape) or shape[axis] != 1 for axis in left):
        return False
    left = left or {axis for axis, size in enumerate(shape) if size == 1}
    return site.output().shape == tuple(n for axis, n in enumerate(shape) if axis not in left)


def counted_inputs(site: Site) -> bool:
    """options say how many inputs there are"""
    return site.options is not None and site.options.ValuesCount() == len(site.inputs)


def counted_outputs(site: Site) -> bool:
    """options say how many outputs there are"""
    return site.options is not None and site.options.Num() == len(site.outputs)


def stored_options(site: Site) -> bool:
    """the operator's options are stored"""
    return site.options is not None


def no_activation(site: Site) -> bool:
    """there is no fused activation"""
    return site.activation() == 0


def quantised_alike(site: Site) -> bool:
    """int8 inputs are quantised as the output is; int16 ones have zero point 0"""
    output = site.output()
    tensors = [site.input(p) for p in range(len(site.inputs))]
    if output.type == TensorType.INT8:
        return all((t.scale, t.zero_point) == (output.scale, output.zero_point) for t in tensors)
    return output.type != TensorType.INT16 or not any(t.zero_point for t in (*tensors, output))


def no_other_masks(site: Site) -> bool:
    """masks are of begin, end and shrunk axes; the others are not known to TensorFlow Lite Micro"""
    return not site.options.EllipsisMask() and not site.options.NewAxisMask()


def pad(site: Site) -> bool:
    """a value for the border is one of the output's type, int8 ones quantised as the output is"""
    if not site.given(2):
        return True
    value, output = site.input(2), site.output()
    alike = (value.scale, value.zero_point) == (output.scale, output.zero_point)
    one = not value.shape or set(value.shape) == {1}
    return one and value.type == output.type and (alike or output.type != TensorType.INT8)


def rows(site: Site) -> bool:
    """indices are an int32 vector, and what they pick are rows of a matrix or more"""
    indices, table = site.input(0), site.input(1)
    return indices.type == TensorType.INT32 and len(indices.shape) == 1 and len(table.shape) >= 2
