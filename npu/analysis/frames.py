"""Frames for an event machine: the starts of a model's calls, with what data decide in them.

Where a program asks for no data, its starts are enough. A search on the chip is decided by its
symbols, which kernels tell, or an assumption; whatever else data decide, the twin records.
"""

from collections.abc import Sequence
from typing import NamedTuple

from npu.chip.isa import Command, decode_program
from npu.errors import InputError
from npu.events.machine import EventMachine
from npu.events.relevance import relevance
from npu.events.trace import Recorder, Start
from npu.runtime.budget import Budgets
from npu.runtime.calls import Inputs, call, calls_of, open_session
from npu.runtime.header import INVOKE, RESET
from npu.runtime.host_beam import is_for_beam
from npu.runtime.host_interface import CALLS, FRAME, FROM, SYMBOL, TO
from npu.runtime.host_search import DECODER, ENCODER, JOINER
from npu.runtime.image import Image
from npu.twin.machine import Machine

DEFAULT_FRAMES = 4
DEFAULT_SYMBOLS = 1

Frame = list[Start]
"""The starts of a frame."""


class Decided(NamedTuple):
    """Frames to run.

    Attributes
    ----------
    reset : the starts that begin them.
    by : what decided where data would, in words.
    """

    reset: Frame
    frames: list[Frame]
    by: str


class Bounded:
    """Starts of an image on an event machine, none of which lasts longer than the image can take.

    Parameters
    ----------
    image : what runs.
    machine : what it runs on.
    """

    def __init__(self, image: Image, machine: EventMachine) -> None:
        self._machine, self._budgets = machine, Budgets(image)

    def run(self, start: Start) -> int:
        """The cycles of a start. Raises MachineError for one that does not halt in its budget."""
        calls = dict(start.arguments).get(CALLS, 0)
        return self._machine.run(start, self._budgets.of_start(calls))


def entries_of(image: Image) -> list[int]:
    """Where a host may start the program."""
    return [entry.pc for entry in image.header.entries]


def decided_by(image: Image) -> list[Command]:
    """The commands whose data decide how the program goes on."""
    program = decode_program(image.program)
    return [program[pc] for pc in relevance(program, entries_of(image)).sources]


def has_loop(image: Image) -> bool:
    """Whether it is a transducer that searches by itself."""
    info = image.header.transducer
    return info is not None and image.header.entry(info.hears).loop is not None


def searches_on_chip(image: Image) -> bool:
    """Whether it is a transducer whose cycles follow from the symbols of its frames."""
    return has_loop(image) and all(cmd.opcode.name == "VARGMAX" for cmd in decided_by(image))


def symbol_frame(image: Image, symbols: Sequence[Sequence[int]]) -> Frame:
    """An encoder call on a chip that searches by itself; `symbols` of each frame that it gives.

    Raises InputError for more symbols than a frame may emit, or one that there is not.
    """
    info = image.header.transducer
    assert info is not None, "it searches"
    values: list[int] = []
    for emitted in symbols:
        _require_few(image, len(emitted))
        for symbol in emitted:
            if not 0 <= symbol < len(info.tokens) or symbol == info.blank:
                raise InputError(f"{image.header.model} emits no symbol {symbol}")
        values += [*emitted, *[info.blank] * (len(emitted) < info.max_symbols_per_frame)]
    return [Start(image.header.entry(info.hears).pc, ((CALLS, 1),), tuple(values))]


def _require_few(image: Image, symbols: int, frames: int = 1) -> None:
    """Raise InputError for more symbols than so many frames may emit."""
    info = image.header.transducer
    assert info is not None, "it searches"
    most = frames * info.max_symbols_per_frame
    if symbols > most:
        raise InputError(
            f"{image.header.model} emits at most {most} symbols in a call, not {symbols}"
        )


def _spread(image: Image, symbols: int) -> list[int]:
    """So many symbols of a call over the frames that it gives. Raises InputError for too many."""
    info = image.header.transducer
    assert info is not None, "it searches"
    _require_few(image, symbols, info.frames_out)
    each, more = divmod(symbols, info.frames_out)
    return [each + (frame < more) for frame in range(info.frames_out)]


def hypothesis_frame(image: Image, symbols: int) -> Frame:
    """An encoder call in which a beam of one hypothesis emits so many symbols, then blank.

    What a symbol is decides nothing, nor do the slots. Raises InputError for more than a call may
    emit.
    """
    info = image.header.transducer
    assert info is not None, "it has slots"
    starts = [Start(image.header.entry(ENCODER).pc)]
    for frame, emitted in enumerate(_spread(image, symbols)):
        which = ((FRAME, frame),) if info.frames_out > 1 else ()
        joiner = Start(image.header.entry(JOINER).pc, tuple(sorted(((FROM, 0), *which))))
        starts += [joiner, _decoder_start(image)] * emitted
        # A frame that is full ends without a blank.
        starts += [joiner] * (emitted < info.max_symbols_per_frame)
    return starts


def _decoder_start(image: Image) -> Start:
    return Start(image.header.entry(DECODER).pc, tuple(sorted({FROM: 0, TO: 0, SYMBOL: 0}.items())))


def assumed_frames(image: Image, frames: int, symbols: int) -> list[Frame]:
    """Calls that each emit so many symbols, always the same one. Raises InputError."""
    info = image.header.transducer
    assert info is not None, "it searches"
    symbol = next(i for i in range(len(info.tokens) + 1) if i != info.blank)
    of_frames = [[symbol] * emitted for emitted in _spread(image, symbols)]
    return [symbol_frame(image, of_frames)] * frames


def graph_frames(image: Image, frames: int) -> list[Frame]:
    """Calls of a single graph in which data decide nothing."""
    return [[Start(image.header.entry(INVOKE).pc)]] * frames


def recorded_frames(image: Image, inputs: Sequence[Inputs]) -> tuple[Frame, list[Frame]]:
    """The starts of a reset and of some calls, from the twin, which computes all of it."""
    recorder = Recorder(Machine, entries_of(image))
    session = open_session(image, machine=recorder)
    starts, frames = recorder.trace.starts, []
    reset, done = starts[1:], len(starts)
    for each in inputs:
        call(session, each)
        frames.append(starts[done:])
        done = len(starts)
    return reset, frames


def decided_frames(image: Image, count: int, symbols: int | None = None) -> Decided:
    """So many frames of an image, without a sound.

    symbols : that each emits where the chip searches, DEFAULT_SYMBOLS unless given.

    Raises InputError for symbols where it does not search, and for more than it may emit.
    """
    if searches_on_chip(image):
        emitted = DEFAULT_SYMBOLS if symbols is None else symbols
        by = f"every frame emits {emitted} symbol{'s' * (emitted != 1)}"
        return Decided(reset_frame(image), assumed_frames(image, count, emitted), by)
    if is_for_beam(image):
        emitted = DEFAULT_SYMBOLS if symbols is None else symbols
        by = f"every frame one hypothesis emits {emitted} symbol{'s' * (emitted != 1)}"
        return Decided(reset_frame(image), [hypothesis_frame(image, emitted)] * count, by)
    if symbols is not None:
        raise InputError(
            f"{image.header.model} does not search on the chip: leave out how many symbols it emits"
        )
    if image.header.transducer is None and not decided_by(image):
        return Decided(reset_frame(image), graph_frames(image, count), "no data decide")
    reset, frames = recorded_frames(image, calls_of(image, limit=count))
    return Decided(reset, frames, "random inputs on the twin")


def reset_frame(image: Image) -> Frame:
    """The starts that begin an utterance: of a beam, the decoder's on the start symbol, too."""
    reset = Start(image.header.entry(RESET).pc)
    return [reset, _decoder_start(image)] if is_for_beam(image) else [reset]
