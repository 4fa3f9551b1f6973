"""Memories from their size: a model fitted to points that CACTI gave (`sram.csv`, `memory.toml`).

    read, write (pJ)   a sqrt(C) + b W sqrt(C) + c C
    leakage (uW)       a sqrt(C) + b C
    area (um2)         a W + b C
    access (ns)        a + b sqrt(C)

C is the capacity in bytes and W what an access moves, in bytes. Bitlines and word lines grow with
the square root of the capacity, the cells with the capacity. Each node's points are fitted by least
squares of relative errors; `Fit.residuals` says how far the model is from them. Energy goes with
the square of the voltage, leakage with the voltage at an equal current.
"""

import csv
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import NamedTuple

import numpy as np

from npu.chip.technology.constants import FOLDER, Sourced

_Terms = Callable[[float, float], tuple[float, ...]]

TERMS: dict[str, _Terms] = {
    "read_pj": lambda c, w: (sqrt(c), w * sqrt(c), c),
    "write_pj": lambda c, w: (sqrt(c), w * sqrt(c), c),
    "leakage_uw": lambda c, w: (sqrt(c), c),
    "area_um2": lambda c, w: (w, c),
    "access_ns": lambda c, w: (1.0, sqrt(c)),
}
"""What each figure is a sum of, times a coefficient of the node."""

WORST_RMS = {
    "read_pj": 0.24,
    "write_pj": 0.11,
    "leakage_uw": 0.09,
    "area_um2": 0.15,
    "access_ns": 0.11,
}
"""The root of the mean square of the relative residuals that no node exceeds."""

WORST_RATIO = {
    "read_pj": (0.5, 1.5),
    "write_pj": (0.75, 1.2),
    "leakage_uw": (0.85, 1.2),
    "area_um2": (0.55, 1.3),
    "access_ns": (0.65, 1.25),
}
"""Model over point: between these everywhere."""


class PointSource(Sourced):
    """What the points are."""

    node_nm: list[int]
    voltage: dict[int, float]
    temperature_k: float


class Check(Sourced):
    """A published memory to hold the model against."""

    bytes: int
    width_bytes: float
    read_pj: float
    node_nm: int
    voltage: float


_TOLD = tomllib.loads((FOLDER / "memory.toml").read_text(encoding="utf-8"))
POINTS = PointSource.model_validate(_TOLD["points"])
CHECKS = [Check.model_validate(each) for each in _TOLD["check"]]


class Point(NamedTuple):
    """A memory as CACTI has it: see `sram.csv`."""

    node_nm: float
    bytes: float
    width_bytes: float
    read_pj: float
    write_pj: float
    leakage_uw: float
    area_um2: float
    access_ns: float


def points() -> list[Point]:
    """All of them."""
    with (FOLDER / "sram.csv").open(encoding="utf-8", newline="") as file:
        return [Point(**{k: float(v) for k, v in row.items()}) for row in csv.DictReader(file)]


@dataclass(frozen=True)
class Fit:
    """A figure of a node's memories: the coefficients, and model over point of every point."""

    figure: str
    coefficients: tuple[float, ...]
    residuals: tuple[float, ...]

    @property
    def rms(self) -> float:
        """Root of the mean square of the relative errors."""
        return sqrt(sum((ratio - 1) ** 2 for ratio in self.residuals) / len(self.residuals))

    def at(self, capacity: float, width: float) -> float:
        """The figure of a memory of so many bytes, with accesses of so many."""
        terms = TERMS[self.figure](capacity, width)
        return sum(a * term for a, term in zip(self.coefficients, terms, strict=True))


def fit(figure: str, of: Sequence[Point]) -> Fit:
    """The coefficients that suit the points of one node best."""
    terms = np.array([TERMS[figure](p.bytes, p.width_bytes) for p in of])
    wanted = np.array([getattr(p, figure) for p in of])
    relative = terms / wanted[:, np.newaxis]
    coefficients, *_ = np.linalg.lstsq(relative, np.ones(len(of)), rcond=None)
    return Fit(figure, tuple(coefficients.tolist()), tuple((relative @ coefficients).tolist()))


@cache
def fits(node_nm: int) -> dict[str, Fit]:
    """Of a node of the points, by figure."""
    of = [point for point in points() if point.node_nm == node_nm]
    return {figure: fit(figure, of) for figure in TERMS}


@dataclass(frozen=True)
class Sram:
    """Memories of a node at a voltage; a node of POINTS.node_nm."""

    node_nm: int
    voltage: float

    def read_pj(self, capacity: float, width: float) -> float:
        """A read of `width` bytes."""
        return self._dynamic("read_pj", capacity, width)

    def write_pj(self, capacity: float, width: float) -> float:
        """A write of `width` bytes."""
        return self._dynamic("write_pj", capacity, width)

    def leakage_uw(self, capacity: float) -> float:
        """At full voltage, whether it works or not."""
        return fits(self.node_nm)["leakage_uw"].at(capacity, 0) * self._supply

    def area_um2(self, capacity: float, width: float) -> float:
        """Of the macro."""
        return fits(self.node_nm)["area_um2"].at(capacity, width)

    def access_ns(self, capacity: float) -> float:
        """From the address to the data, at the voltage of the points."""
        return fits(self.node_nm)["access_ns"].at(capacity, 0)

    @property
    def _supply(self) -> float:
        return self.voltage / POINTS.voltage[self.node_nm]

    def _dynamic(self, figure: str, capacity: float, width: float) -> float:
        return fits(self.node_nm)[figure].at(capacity, width) * self._supply**2
