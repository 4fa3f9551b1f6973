"""The chip's RTL in Verilator, worked by the C driver (`rtl/driver/zeroskip.c`)."""

import ctypes
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from npu.chip.counters import Counters
from npu.chip.isa import REGISTERS as SCALARS
from npu.chip.status import Status
from npu.errors import MachineError
from rtl import driver
from rtl.control.registers import REGISTERS
from rtl.driver import Read, Steps, Write, build
from rtl.sim.machine import MAX_CYCLES, NoInterrupt, RtlMachine

T = TypeVar("T")

OKAY, STOPPED, REFUSED, TIMEOUT, UNKNOWN, ARGUMENT, TOKENS = range(7)
"""enum zeroskip_result."""

_U32, _SIZE = ctypes.c_uint32, ctypes.c_size_t
_VOID = ctypes.c_void_p
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


class CMachine(RtlMachine):
    """As `RtlMachine`, which it is in everything but the driver.

    Attributes
    ----------
    poll : the driver polls and gets no interrupt; the observer is told of commands late then, when
        SRAM may be younger than they are.
    compiler : what builds the driver.
    """

    poll = False
    compiler = "gcc"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._c = ctypes.CDLL(str(build.library(self.compiler)))
        self._limit = MAX_CYCLES
        self._raised: BaseException | None = None
        self._wrote, self._written = False, 0
        self._port = Port(
            read=_READ(self._guarded(self._on_read)),
            write=_WRITE(self._guarded(self._on_write)),
            sleep=_SLEEP() if self.poll else _SLEEP(self._guarded(self._on_sleep)),
            pause=_PAUSE(self._guarded(self._on_pause)),
            put=_MOVE(self._guarded(self._on_put)),
            get=_MOVE(self._guarded(self._on_get)),
        )
        self.chip = Chip()
        self._c.zeroskip_open(ctypes.byref(self.chip), ctypes.byref(self._port))
        self._actions: dict[Any, Callable[..., Any]] = {
            driver.probe: lambda: self.call("probe"),
            driver.load: lambda address, n: self.call("load", _U32(address), _U32(n)),
            driver.start: lambda pc, values=None: self._at("start", pc, values),
            driver.wait: lambda: self.call("wait"),
            driver.run: lambda pc, values=None: self._at("run", pc, values),
            driver.reset: lambda: self.call("reset"),
            driver.status: self._status,
            driver.registers: self._registers,
            driver.counters: self._counters,
            driver.clear_counters: lambda: self.call("clear_counters"),
        }
        super().__init__(*arguments, **options)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver by its name.

        Raises MachineError as the Python driver does, and what a callback has raised.
        """
        result = getattr(self._c, f"zeroskip_{name}")(ctypes.byref(self.chip), *arguments)
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised
        if result != OKAY:
            self._refuse(name, result)

    def _refuse(self, name: str, result: int) -> NoReturn:
        chip = self.chip
        if result == STOPPED:
            error = Status(chip.error)
            if name == "load":
                raise MachineError(f"the program load failed: {error.name}", error)
            raise MachineError(f"command {chip.error_pc}: {error.name}", error, chip.error_pc)
        if result == REFUSED:
            register = next(r.name for r in REGISTERS if r.offset == chip.refused)
            step = Write(register, self._written) if self._wrote else Read(register)
            raise step.refused()
        if result == TIMEOUT:
            if self.poll:
                raise NoInterrupt(f"nothing within {self._limit} cycles")
            raise MachineError(f"zeroskip_{name} has waited too long")
        raise MachineError(f"zeroskip_{name} gives {result}")

    def _work(self, action: Callable[..., Steps[T]], *arguments: Any, limit: int = MAX_CYCLES) -> T:
        self._limit = limit
        self.chip.patience = min(limit, driver.PATIENCE)
        return self._actions[action](*arguments)

    # --- what the board gives -------------------------------------------------------------------
    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A callback of C: what it raises is kept until C has returned."""

        def called(_context: Any, *arguments: Any) -> Any:
            if self._raised is not None:
                return False
            try:
                return function(*arguments)
            except BaseException as error:
                self._raised = error
                return False

        return called

    def _on_read(self, offset: int, value: Any) -> bool:
        self._wrote = False
        return self._library.zs_read(self._handle, offset, value) == 0

    def _on_write(self, offset: int, value: int) -> bool:
        self._wrote, self._written = True, value
        return self._library.zs_write(self._handle, offset, value) == 0

    def _on_sleep(self) -> bool:
        self._until_interrupt(self._limit)
        return True

    def _on_pause(self, cycles: int) -> None:
        self._library.zs_pass(self._handle, cycles)
        self._report()

    def _on_put(self, address: int, source: int, count: int) -> None:
        window = self.memory.window(address, count)
        ctypes.memmove(window.ctypes.data, source, count)

    def _on_get(self, address: int, target: int, count: int) -> None:
        window = self.memory.window(address, count)
        ctypes.memmove(target, window.ctypes.data, count)

    # --- functions with arguments and results ---------------------------------------------------
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
