"""Which outputs of a call come back as inputs of the next: matched by how exporters name them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from npu.errors import ModelError

_BEFORE = ("next_", "new_", "out_", "updated_", "n_", "output_")
_BEHIND = ("_out", "_next", "_new", "n", "N", "_n", "_output")
_IN = ("in_", "prev_", "cur_", "input_", "past_")
_IN_BEHIND = ("_in", "_prev", "_cur", "_input", "_0", "0")


def match_states(
    model: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    given: Iterable[str],
    told: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The output of each input that is a state.

    An input for which there is calibration data (`given`) is none. Names are matched as exporters
    write them: `h0` with `next_h0`, `cached_len_0` with `new_cached_len_0`, `state` with `stateN`,
    `h` with `hn` or `h_out`, `in_cache` with `out_cache`, `cache_len` with `cache_next_len`.

    told : output of an input, where names do not say so.

    Raises ModelError where an output that is told is none.
    """
    found = dict(told or {})
    for name, output in found.items():
        if name not in inputs or output not in outputs:
            raise ModelError(
                f"{model}: no state {name} -> {output}; inputs are {', '.join(inputs)}, outputs "
                f"{', '.join(outputs)}"
            )
    known = set(given)
    for name in inputs:
        if name in found or name in known:
            continue
        taken = set(found.values())
        match = next((o for o in _candidates(name) if o in outputs and o not in taken), None)
        if match is not None:
            found[name] = match
    return found


def _candidates(name: str) -> list[str]:
    stems = [name]
    stems += [name[len(prefix) :] for prefix in _IN if name.startswith(prefix)]
    stems += [
        name[: -len(end)] for end in _IN_BEHIND if name.endswith(end) and len(name) > len(end)
    ]
    made = [f"{prefix}{stem}" for stem in stems for prefix in _BEFORE]
    made += [f"{stem}{end}" for stem in stems for end in _BEHIND]
    head, mark, tail = name.rpartition("_")
    made += [f"{head}_next_{tail}"] if mark else []
    return [each for each in made if each != name]


def match_in_order(inputs: Sequence[Any], outputs: Sequence[Any]) -> dict[str, str]:
    """Values of ONNX that are declared, one behind the other, where they are as many, of the same
    types and with as many axes; nothing where they are not.

    As for states whose names say nothing: NeMo's decoders have `states.1` and `onnx::LSTM_3`.
    """

    def kind(value: Any) -> tuple[int, int]:
        tensor = value.type.tensor_type
        return tensor.elem_type, len(tensor.shape.dim)

    if list(map(kind, inputs)) != list(map(kind, outputs)):
        return {}
    return {one.name: other.name for one, other in zip(inputs, outputs, strict=True)}
