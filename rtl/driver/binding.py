"""The C driver, called from Python: it asks for the same steps as the driver in Python."""

import ctypes
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

import rtl.driver as driver
from npu.chip.counters import Counters
from npu.chip.isa import REGISTERS as SCALARS
from npu.chip.status import Status
from npu.errors import MachineError
from rtl.control.registers import REGISTERS
from rtl.driver import Interrupt, Pause, Read, Step, Write, build

OKAY, STOPPED, REFUSED, TIMEOUT, UNKNOWN, ARGUMENT, TOKENS = range(7)
"""enum zeroskip_result."""

_NAMES = {register.offset: register.name for register in REGISTERS}
_U32, _SIZE, _VOID = ctypes.c_uint32, ctypes.c_size_t, ctypes.c_void_p
_READ = ctypes.CFUNCTYPE(ctypes.c_bool, _VOID, _U32, ctypes.POINTER(_U32))
_WRITE = ctypes.CFUNCTYPE(ctypes.c_bool, _VOID, _U32, _U32)
_SLEEP = ctypes.CFUNCTYPE(ctypes.c_bool, _VOID)
_PAUSE = ctypes.CFUNCTYPE(None, _VOID, _U32)
_MOVE = ctypes.CFUNCTYPE(None, _VOID, _U32, _VOID, _SIZE)


class Port(ctypes.Structure):
    """`struct zeroskip_port`."""

    _fields_ = (
        ("read", _READ),
        ("write", _WRITE),
        ("sleep", _SLEEP),
        ("pause", _PAUSE),
        ("put", _MOVE),
        ("get", _MOVE),
        ("context", _VOID),
    )


class Chip(ctypes.Structure):
    """`struct zeroskip`."""

    _fields_ = (
        ("port", ctypes.POINTER(Port)),
        ("patience", _U32),
        ("error", _U32),
        ("error_pc", _U32),
        ("refused", _U32),
        ("events", _U32),
    )


class Argument(ctypes.Structure):
    """`struct zeroskip_argument`."""

    _fields_ = (("index", _U32), ("value", ctypes.c_int32))


class CDriver:
    """One chip as the C driver sees it.

    Parameters
    ----------
    on_chip : does a step, as `rtl.driver.perform` takes it. What it raises, a refusal say, reaches
        the caller when C has returned.
    memory : external memory, (n,) uint8, for functions that move bytes.
    poll : the driver has no interrupt; it asks for pauses in its place.
    compiler : what builds it.

    Attributes
    ----------
    chip : `struct zeroskip`.
    result : what C returned last.
    """

    def __init__(
        self,
        on_chip: Callable[[Step], int],
        memory: np.ndarray | None = None,
        poll: bool = False,
        compiler: str = "gcc",
    ) -> None:
        self._library = ctypes.CDLL(str(build.library(compiler)))
        self._on_chip = on_chip
        self._memory = np.zeros(0, np.uint8) if memory is None else memory
        self._raised: BaseException | None = None
        self.result = OKAY
        self._port = Port(
            read=_READ(self._read),
            write=_WRITE(lambda _, offset, value: self._does(Write(_NAMES[offset], value))),
            sleep=_SLEEP() if poll else _SLEEP(lambda _: self._does(Interrupt())),
            pause=_PAUSE(lambda _, cycles: self._pause(cycles)),
            put=_MOVE(self._put),
            get=_MOVE(self._get),
        )
        self.chip = Chip()
        self._library.zeroskip_open(ctypes.byref(self.chip), ctypes.byref(self._port))
        self._special: dict[Any, Callable[..., Any]] = {
            driver.fits: lambda fingerprint: self.call("fits", _U32(fingerprint)),
            driver.load: self._load,
            driver.start: lambda pc, values=None: self._at("start", pc, values),
            driver.run: lambda pc, values=None: self._at("run", pc, values),
            driver.status: self._status,
            driver.registers: self._registers,
            driver.counters: self._counters,
        }

    def perform(self, action: Callable[..., Any], *arguments: Any) -> Any:
        """Do what a function of `rtl.driver` does; gives and raises what that does."""
        if action in self._special:
            return self._special[action](*arguments)
        return self.call(action.__name__, *arguments)

    def call(self, name: str, *arguments: Any) -> None:
        """Call `zeroskip_`name. Raises MachineError, or what `on_chip` has raised."""
        function = getattr(self._library, f"zeroskip_{name}")
        self.result = function(ctypes.byref(self.chip), *arguments)
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised
        if self.result != OKAY:
            self._tell(name)

    def _tell(self, name: str) -> NoReturn:
        if self.result != STOPPED:
            stranger = "finds no zeroskip of its version and parameters"
            what = {TIMEOUT: "has waited too long", UNKNOWN: stranger}
            said = what.get(self.result, f"gives {self.result}")
            raise MachineError(f"zeroskip_{name} {said}")
        error = Status(self.chip.error)
        if name == "load":
            raise MachineError(f"the program load failed: {error.name}", error)
        at = self.chip.error_pc
        raise MachineError(f"command {at}: {error.name}", error, at)

    # --- what the board gives -------------------------------------------------------------------
    def _does(self, step: Step) -> bool:
        """Whether a step went well; what it raises is kept until C has returned."""
        if self._raised is not None:
            return False
        try:
            self._value = self._on_chip(step)
        except BaseException as error:
            self._raised = error
        return self._raised is None

    def _read(self, _: Any, offset: int, value: Any) -> bool:
        if not self._does(Read(_NAMES[offset])):
            return False
        value[0] = self._value
        return True

    def _pause(self, cycles: int) -> None:
        # C is told nothing: where a pause fails, the next access does.
        self._does(Pause(cycles))

    def _put(self, _: Any, address: int, source: int, count: int) -> None:
        self._memory[address : address + count] = np.frombuffer(
            ctypes.string_at(source, count), np.uint8
        )

    def _get(self, _: Any, address: int, target: int, count: int) -> None:
        ctypes.memmove(target, self._memory[address : address + count].tobytes(), count)

    # --- functions with arguments and results ---------------------------------------------------
    def _load(self, address: int, n_commands: int) -> None:
        self.call("load", _U32(address), _U32(n_commands))

    def _at(self, name: str, pc: int, values: dict[int, int] | None) -> None:
        pairs = [Argument(index, value) for index, value in (values or {}).items()]
        self.call(name, _U32(pc), (Argument * len(pairs))(*pairs), _SIZE(len(pairs)))

    def _status(self) -> Status:
        error = _U32()
        self.call("status", ctypes.byref(error))
        return Status(error.value)

    def _registers(self) -> list[int]:
        values = (ctypes.c_int32 * SCALARS)()
        self.call("registers", values)
        return list(values)

    def _counters(self) -> Counters:
        values = (_U32 * len(vars(Counters())))()
        self.call("counters", values)
        return Counters(*values)
