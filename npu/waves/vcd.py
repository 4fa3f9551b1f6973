"""Waveforms as VCD files (IEEE 1364), written and read."""

from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from vcd import VCDWriter
from vcd.reader import TokenKind, VCDParseError, tokenize
from vcd.writer import Variable

from npu.errors import NpuError
from npu.waves.signals import PS_PER_CYCLE


def write(
    file: TextIO, widths: dict[str, int], waves: Iterable[tuple[str, np.ndarray]], cycles: int
) -> None:
    """Write the values of signals.

    widths : bits of every signal. waves : name and values, (cycles,), of each of them.
    """
    # The same waves are the same file: no date.
    with VCDWriter(file, timescale="1 ps", date="") as writer:
        variables = [_declare(writer, name, bits) for name, bits in widths.items()]
        for cycle, place, value in zip(*_changes(waves, list(widths)), strict=True):
            writer.change(variables[place], PS_PER_CYCLE * int(cycle), int(value))
        writer.close(PS_PER_CYCLE * cycles)


def _declare(writer: VCDWriter, name: str, bits: int) -> Variable:
    scope, _, last = name.rpartition(".")
    # As Verilator writes it: viewers take the range for a part of the name.
    shown = last if bits == 1 else f"{last} [{bits - 1}:0]"
    return writer.register_var(scope, shown, "wire", size=bits, init=0)


def _changes(
    waves: Iterable[tuple[str, np.ndarray]], names: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(cycle, number of the signal, new value) of every change, by cycle."""
    times, places, found = [], [], []
    numbers = {name: number for number, name in enumerate(names)}
    for name, values in waves:
        before = np.concatenate([np.zeros(1, values.dtype), values[:-1]])
        at = np.flatnonzero(values != before)
        times.append(at)
        places.append(np.full(len(at), numbers[name]))
        found.append(values[at].astype(np.int64))
    cycles = np.concatenate(times)
    order = np.argsort(cycles, kind="stable")
    return cycles[order], np.concatenate(places)[order], np.concatenate(found)[order]


class Wave(NamedTuple):
    """A signal of a file: (changes,) int64 each, when it changes, in ps, and to what."""

    times: np.ndarray
    values: np.ndarray

    def at(self, times: np.ndarray) -> np.ndarray:
        """(n,) int64, its values at (n,) times; 0 before the first change."""
        places = np.searchsorted(self.times, times, "right")
        return np.concatenate([np.zeros(1, np.int64), self.values])[places]


class Dump(NamedTuple):
    """Signals of a file, by name, and its last time in ps."""

    waves: dict[str, Wave]
    end: int


def read(path: Path, names: Iterable[str]) -> Dump:
    """The signals with these names. Raises NpuError where one is missing or the file is no VCD."""
    wanted = set(names)
    try:
        with path.open("rb") as file:
            return _read(file, wanted)
    except (VCDParseError, ValueError) as error:
        raise NpuError(f"{path}: cannot be read as VCD: {error}") from error


def _read(file: BufferedReader, wanted: set[str]) -> Dump:
    scopes: list[str] = []
    # Several names may be one signal: a file gives it a code.
    codes: dict[str, str] = {}
    times: dict[str, list[int]] = {}
    values: dict[str, list[int]] = {}
    now = 0

    def change(code: str, value: int) -> None:
        if code in times:
            times[code].append(now)
            values[code].append(value)

    for token in tokenize(file):
        match token.kind:
            case TokenKind.SCOPE:
                scopes.append(token.scope.ident)
            case TokenKind.UPSCOPE:
                del scopes[-1:]
            case TokenKind.VAR:
                name, code = ".".join([*scopes, token.var.reference]), token.var.id_code
                if name in wanted:
                    codes[name] = code
                    times[code], values[code] = [], []
            case TokenKind.CHANGE_TIME:
                now = token.time_change
            case TokenKind.CHANGE_SCALAR:
                change(token.scalar_change.id_code, int(token.scalar_change.value))
            case TokenKind.CHANGE_VECTOR:
                change(token.vector_change.id_code, int(token.vector_change.value))
    if missing := sorted(wanted - codes.keys()):
        raise ValueError(f"{len(missing)} signals are missing, {missing[0]!r} first")
    waves = {
        name: Wave(np.array(times[code], np.int64), np.array(values[code], np.int64))
        for name, code in codes.items()
    }
    return Dump(waves, now)
