"""Images that points share: a chip with another clock, or a slower memory, mostly takes the same.

Which parameters an image depends on is not guessed: the compiler is given a chip that notes what is
read of it. What it reads, up to a point, depends on nothing that it has not read by then; so a
parameter that is not read while one chip is compiled for is not read for another one that differs
in it alone, and the image is the same byte by byte.
"""

from typing import Any

from pydantic import BaseModel, PrivateAttr

from compiler import Model, compile_model
from npu.chip.params import ChipParams
from npu.errors import CapacityError, ImageError, NpuError, UnsupportedError
from npu.runtime.image import Image
from npu.sweep.kept import Kept
from npu.sweep.point import DECIDE_IMAGE, Point, digest, sources_digest

TIMING = (
    "memory_latency_cycles",
    "memory_cycles_per_beat",
    "dma_burst_beats",
    "dma_outstanding",
    "dma_queue",
    "result_fifo",
)
"""Parameters that an image depends on only where weights are streamed, or not at all."""

PRICE = (
    "clock_mhz",
    *(
        name
        for name, field in ChipParams.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    ),
)
"""The clock, and the tables of what events cost."""

LATE = (*TIMING, *PRICE)

_REFUSALS: dict[str, type[NpuError]] = {
    kind.__name__: kind for kind in (CapacityError, UnsupportedError)
}


class NotingChip(ChipParams):
    """A chip that notes which of `LATE` are read one by one; whole copies are not noted."""

    _read: set[str] = PrivateAttr(default_factory=set)

    @property
    def noted(self) -> set[str]:
        """What was read."""
        return set(self._read)


def _noting(name: str) -> property:
    def read(self: NotingChip) -> Any:
        self._read.add(name)
        return self.__dict__[name]

    return property(read)


for _name in LATE:
    # Before a field of the object stands what its class has of that name.
    setattr(NotingChip, _name, _noting(_name))


def names(point: Point) -> list[str]:
    """Names of an image that depends on nothing of `LATE`, on `TIMING` alone, and on all."""
    found = []
    for left_out in (LATE, PRICE, ()):
        chip = {key: value for key, value in point.chip.items() if key not in left_out}
        found.append(digest(sources_digest(DECIDE_IMAGE), point.weights_key, chip))
    return found


def depth(read: set[str]) -> int:
    """Which of `names` names an image, from what was read while it was compiled."""
    return 2 if read.intersection(PRICE) else 1 if read else 0


def image_name(point: Point, kept: Kept) -> str | None:
    """The name of a point's image as far as others like it tell; None if none was compiled."""
    shared = names(point)
    known = kept.read_values(f"{shared[0]}.reads")
    if known is None or known.get("depth") not in range(len(shared)):
        return None
    return shared[known["depth"]]


def is_kept(name: str, kept: Kept) -> bool:
    """Whether the image of a name is there, or why there is none."""
    return kept.has(f"{name}.npu") or kept.has(f"{name}.refused")


def image_of(point: Point, model: Model, params: ChipParams, kept: Kept) -> tuple[Image, bool]:
    """The image of a point, and whether it had to be compiled.

    model : with its weights as the point has them. params : the point's chip.

    Raises what `compile_model` raises.
    """
    name = image_name(point, kept)
    if name is not None and (found := _kept_image(name, params, kept)) is not None:
        return found, False
    chip = NotingChip.model_validate(params.model_dump())
    image: Image | None = None
    refusal: NpuError | None = None
    try:
        image = compile_model(model, chip)
    except (CapacityError, UnsupportedError) as error:
        refusal = error
    shared = names(point)
    level = depth(chip.noted)
    if image is not None:
        kept.write(f"{shared[level]}.npu", image.to_bytes())
    else:
        values = {"kind": type(refusal).__name__, "error": str(refusal)}
        kept.write_values(f"{shared[level]}.refused", values)
    # Last: who reads it finds the image.
    kept.write_values(f"{shared[0]}.reads", {"depth": level})
    if image is None:
        assert refusal is not None, "one of the two"
        raise refusal
    return on(image, params), True


def on(image: Image, params: ChipParams) -> Image:
    """An image on a chip that differs in nothing that it depends on."""
    header = image.header.model_copy(update={"chip": params.model_dump(mode="json")})
    return Image(header, image.program, image.memory)


def _kept_image(name: str, params: ChipParams, kept: Kept) -> Image | None:
    """Raises what was raised when it was compiled."""
    refused = kept.read_values(f"{name}.refused")
    if refused is not None and refused.get("kind") in _REFUSALS:
        raise _REFUSALS[refused["kind"]](str(refused.get("error")))
    raw = kept.read(f"{name}.npu")
    if raw is None:
        return None
    try:
        return on(Image.from_bytes(raw), params)
    except ImageError:
        return None
