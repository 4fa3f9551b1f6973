"""The chip's parameters: one frozen object that twin, compiler, RTL and reports all read.

A chip is described by a TOML file with the keys of `ChipParams` (`npu/chip/descriptions.py`); the
presets `tiny`, `edge` and `max` lie in `npu/chip/presets/`. Widths that follow from a parameter are
properties here, so that nobody derives them a second time.
"""

import difflib
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from npu.chip.descriptions import (
    KIB,
    MAX_NAME,
    PRESETS,
    merged,
    plain_name,
    read_description,
)
from npu.chip.isa import COMMAND_BYTES
from npu.errors import ParamsError

__all__ = ["PRESETS", "ChipParams", "Energy", "load_params", "params_from_dict"]

# What a counter of the memory's timing holds.
MAX_LATENCY_CYCLES = 1 << 16
MAX_CYCLES_PER_BEAT = 1 << 8

# What the chip itself is, its memory, clock and technology apart.
_HARDWARE = (
    "lanes",
    "threads",
    "bank_bytes",
    "param_bytes",
    "sram_bytes",
    "program_bytes",
    "activation_entries",
    "result_fifo",
    "vector_elements",
    "bus_bytes",
    "dma_burst_beats",
    "dma_outstanding",
    "dma_queue",
)


def _require_plain(name: str) -> str:
    if not name or plain_name(name) != name:
        raise ValueError(
            f"name = {_shown(name)}: a name has letters, digits, spaces and . _ - + ( ) = , alone"
        )
    return name


_Name = Annotated[str, Field(max_length=MAX_NAME), AfterValidator(_require_plain)]
_Picojoules = Annotated[float | None, Field(ge=0, le=1e9)]
_SHOWN = 60


class _Checked(BaseModel):
    """Frozen, and never without its checks."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values, checked as those of a new object.

        Raises ParamsError naming every wrong key and value.
        """
        values = {key: getattr(self, key) for key in type(self).model_fields}
        return _checked(type(self), values | dict(update or {}), type(self).__name__)


class Technology(_Checked):
    """What a chip is made in, for estimates of energy, power and area.

    Attributes
    ----------
    node_nm : of the process, one for which there are memories (`npu/chip/technology/memory.toml`).
    voltage : supply of logic and memories.
    external : kind of the external memory.
    idle : state in which the chip waits for sound; see `npu.chip.technology.power`.
    """

    node_nm: Literal[45, 40, 32, 28, 22]
    voltage: float = Field(ge=0.5, le=1.3)
    external: Literal["lpddr4", "lpddr3", "ddr3"] = "lpddr4"
    idle: Literal["clock_gated", "retention", "off"] = "retention"


class Energy(_Checked):
    """Energies of one's own, in picojoules per event (leakage in milliwatts).

    What is None is derived from the chip's sizes and technology; `npu.chip.technology.EventCosts`
    says what the events are.
    """

    mac: _Picojoules = None
    decode: _Picojoules = None
    result: _Picojoules = None
    activation_read: _Picojoules = None
    activation_write: _Picojoules = None
    bank_read: _Picojoules = None
    bank_write: _Picojoules = None
    sram_read: _Picojoules = None
    sram_write: _Picojoules = None
    param_read: _Picojoules = None
    param_write: _Picojoules = None
    vector_element: _Picojoules = None
    command: _Picojoules = None
    external_byte: _Picojoules = None
    clock: _Picojoules = None
    leakage_mw: _Picojoules = None


class ChipParams(_Checked):
    """Everything that sizes the chip and its memory. Immutable; all sizes in bytes.

    Attributes
    ----------
    name : of characters that mean nothing in any language of an export, see `plain_name`.
    lanes : decode-and-multiply lanes, 1 to 128.
    threads : rows that circulate through a lane's decode loop (the barrel), 2 to 8.
    bank_bytes : weight bank of one lane.
    param_bytes : parameter memory (code tables, scales, row records, look-up tables).
    sram_bytes : vector SRAM (activations and states).
    program_bytes : program memory.
    activation_entries : columns that a lane's copy of the input vector holds.
    result_fifo : finished rows that a lane can hold before its decoder pauses.
    vector_elements : elements that the vector unit handles per cycle, a power of two of at most
        half as many as a bus word has bytes.
    bus_bytes : width of the external bus, of an SRAM word and of a bank's write port.
    dma_burst_beats, dma_outstanding : longest AXI burst, and bursts in flight, of reads or of a
        write.
    dma_queue : transfers that can be open at a time.
    memory_bytes : size of the external memory.
    memory_latency_cycles : from an accepted read address to its first beat, from the later of a
        write burst's address and last beat to its response.
    memory_cycles_per_beat : external bandwidth is bus_bytes / memory_cycles_per_beat per cycle.
    clock_mhz : for milliseconds only; no behaviour depends on it.
    technology, energy_pj : for estimates only.
    """

    name: _Name
    lanes: int = Field(ge=1, le=128)
    threads: int = Field(ge=2, le=8)
    bank_bytes: int = Field(ge=256, le=1024 * KIB)
    param_bytes: int = Field(ge=256, le=4096 * KIB)
    sram_bytes: int = Field(ge=256, le=4096 * KIB)
    program_bytes: int = Field(ge=1024, le=1024 * KIB)
    activation_entries: int = Field(ge=16, le=65536)
    result_fifo: int = Field(ge=8, le=64)
    vector_elements: int = Field(ge=1, le=32)
    bus_bytes: int = Field(ge=8, le=64)
    dma_burst_beats: int = Field(ge=1, le=256)
    dma_outstanding: int = Field(ge=1, le=16)
    dma_queue: int = Field(ge=1, le=64)
    memory_bytes: int = Field(ge=64 * KIB, le=2**31)
    memory_latency_cycles: int = Field(ge=1, le=MAX_LATENCY_CYCLES)
    memory_cycles_per_beat: int = Field(ge=1, le=MAX_CYCLES_PER_BEAT)
    clock_mhz: float = Field(ge=1e-3, le=1e6)
    technology: Technology
    energy_pj: Energy = Energy()

    @model_validator(mode="after")
    def _check_relations(self) -> Self:
        if self.bus_bytes & (self.bus_bytes - 1):
            raise ValueError(f"bus_bytes must be a power of two, not {self.bus_bytes}")
        elements = self.vector_elements
        if elements & (elements - 1) or elements > self.bus_bytes // 2:
            raise ValueError(
                f"vector_elements must be a power of two of at most half of bus_bytes "
                f"({self.bus_bytes}), not {elements}"
            )
        for key in ("bank_bytes", "param_bytes", "sram_bytes", "program_bytes", "memory_bytes"):
            value = getattr(self, key)
            if value % self.bus_bytes:
                raise ValueError(
                    f"{key} must be a multiple of bus_bytes ({self.bus_bytes}), not {value}"
                )
        if self.activation_entries % self.bus_bytes:
            raise ValueError(
                f"activation_entries must be a multiple of bus_bytes ({self.bus_bytes}), "
                f"not {self.activation_entries}"
            )
        return self

    @property
    def slots(self) -> int:
        """Places that rows are dealt to: every thread of every lane."""
        return self.lanes * self.threads

    @property
    def bank_words(self) -> int:
        """32-bit words of one lane's bank."""
        return self.bank_bytes // 4

    @property
    def bus_words(self) -> int:
        """32-bit words of a bus word."""
        return self.bus_bytes // 4

    @property
    def bank_bus_words(self) -> int:
        """Bus words of one lane's bank: what the `bank` of a command counts."""
        return self.bank_bytes // self.bus_bytes

    @property
    def address_bits(self) -> int:
        """Bits of the addresses that a window walks through: SRAM, and as much on either side."""
        return (self.sram_bytes - 1).bit_length() + 2

    @property
    def half_copy(self) -> int:
        """First column of the upper half of a lane's activation copy: a power of two."""
        return 1 << ((self.activation_entries - 1).bit_length() - 1)

    @property
    def ahead_columns(self) -> int:
        """Most columns of a window that loads while the lanes work on the one before."""
        return self.activation_entries - self.half_copy

    @property
    def program_commands(self) -> int:
        """Commands that program memory holds."""
        return self.program_bytes // COMMAND_BYTES

    @property
    def hardware(self) -> str:
        """What the chip itself is: two that have the same have the same RTL.

        "key=value" of every size of the chip, with commas between, ASCII. Name, memory, clock and
        technology are not in it.
        """
        return ",".join(f"{key}={getattr(self, key)}" for key in _HARDWARE)

    @property
    def fingerprint(self) -> int:
        """32 bits that tell chips apart: CRC-32 (`zlib.crc32`) of `hardware`."""
        return zlib.crc32(self.hardware.encode("ascii"))

    def with_overrides(self, overrides: Mapping[str, Any]) -> "ChipParams":
        """A chip with some other parameters: {"lanes": 32, "energy_pj.mac": 0.3}.

        A value of a table, as `energy_pj`, goes by its name and the key. The name says what differs
        unless it is overridden, too. Raises ParamsError naming every parameter that there is not,
        every value of a wrong type or out of range, and values that do not go together.
        """
        values = self.model_dump()
        changes: dict[str, Any] = {}
        for key, value in overrides.items():
            _require_parameter(key, values, self.name)
            table, _, inner = key.partition(".")
            changes = merged(changes, {table: {inner: value}} if inner else {key: value})
        found = params_from_dict(merged(values, changes), f"chip {self.name}")
        if "name" in overrides or found == self:
            return found
        told = ", ".join(f"{key}={value}" for key, value in overrides.items())
        return found.model_copy(update={"name": plain_name(f"{self.name}, {told}")})

    def align(self, n_bytes: int) -> int:
        """Round a size up to whole bus words."""
        return -(-n_bytes // self.bus_bytes) * self.bus_bytes

    def milliseconds(self, cycles: float) -> float:
        """The time that `cycles` take at this chip's clock."""
        return cycles / (self.clock_mhz * 1e3)


def load_params(chip: str | Path) -> ChipParams:
    """Read a preset by name, or any TOML file with the same keys.

    A file with a `base` takes from it what it does not say itself. Raises ParamsError naming every
    wrong key and value.
    """
    values, path = read_description(chip)
    return params_from_dict(values, str(path))


def _require_parameter(key: str, values: Mapping[str, Any], name: str) -> None:
    """Raise ParamsError unless a chip has the parameter `key`, and it is no table of several."""
    known = [k for k, v in values.items() if not isinstance(v, dict)]
    for table, inner in values.items():
        known += [f"{table}.{k}" for k in inner] if isinstance(inner, dict) else []
    if key in known or isinstance(values.get(key), dict):
        return
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    raise ParamsError(f"chip {name}: no parameter {_shown(key)}; {hint}")


def params_from_dict(values: dict, where: str) -> ChipParams:
    """Check a plain mapping (from TOML or from an image's header). Raises ParamsError."""
    return _checked(ChipParams, values, where)


_Kind = TypeVar("_Kind", bound=BaseModel)


def _checked(kind: type[_Kind], values: dict, where: str) -> _Kind:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            key = ".".join(str(part) for part in item["loc"])
            match item["type"]:
                case "missing":
                    problems.append(f"key {key!r} is missing")
                case "extra_forbidden":
                    problems.append(f"key {key!r} is unknown")
                case "value_error":
                    problems.append(item["msg"].removeprefix("Value error, "))
                case _:
                    problems.append(f"{key} = {_shown(item['input'])}: {item['msg'].lower()}")
        raise ParamsError(f"{where}: {'; '.join(problems)}") from error


def _shown(value: object) -> str:
    """A value for a message, shortened; Python refuses to write down very large integers."""
    if isinstance(value, int) and value.bit_length() > 4 * _SHOWN:
        return "a very large number"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
