"""The host's end of a board's serial line: accesses of 32 bits to registers and memory."""

import time
from typing import Any

from npu.errors import NpuError
from rtl.driver import Interrupt, Pause, Read, Step, Write
from rtl.platforms.protocol import ANSWER_BYTES, BAUD, READ, REGISTERS, REQUEST_BYTES, WRITE

WORD_BYTES = 4
# How long a board may take for an answer: far more than a bus and a USB adapter need.
ANSWER_S = 1.0
# Behind this silence nothing of an earlier host is on its way any more.
SILENCE_S = 0.1
# A program that has not ended then never will.
PATIENCE_S = 60.0


class LinkError(NpuError):
    """The line cannot be opened, or what is behind it does not answer."""


class SerialLink:
    """A board on a serial port.

    Parameters
    ----------
    port : as pyserial takes it: `/dev/ttyUSB0`, `COM3`, or an address such as `socket://HOST:PORT`.
    patience_s : how long a program may run, in seconds.

    Raises LinkError where the port cannot be opened, or is busy, and where pyserial is missing; so
    do accesses to a board that does not answer.
    """

    def __init__(self, port: str, patience_s: float = PATIENCE_S) -> None:
        self.port = port
        self._patience_s = patience_s
        self._until: float | None = None
        self._serial = _opened(port)
        self._synchronise()

    def close(self) -> None:
        """Give the port back."""
        self._serial.close()

    def __enter__(self) -> "SerialLink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def step(self, step: Step) -> int:
        """Do a step of the driver, see `rtl.driver.perform`.

        The interrupt is no part of the line: it is polled. Raises MachineError where the chip
        refuses, LinkError where the board is silent or an interrupt does not come in time.
        """
        match step:
            case Write(_, value):
                self._until = None
                refused, _ = self._access(WRITE, REGISTERS | step.offset, value)
            case Read():
                refused, found = self._access(READ, REGISTERS | step.offset)
                if not refused:
                    return found
            case Interrupt():
                self._require_time()
                return 0
            case Pause():
                return 0  # a request takes longer
        if refused:
            raise step.refused()
        return 0

    def put(self, address: int, content: bytes) -> None:
        """Write whole words of 4 bytes into external memory, from a multiple of 4 on."""
        for at in range(0, len(content), WORD_BYTES):
            word = int.from_bytes(content[at : at + WORD_BYTES], "little")
            self._access(WRITE, address + at, word)

    def get(self, address: int, count: int) -> bytes:
        """Read `count` bytes of external memory, a multiple of 4, from a multiple of 4 on."""
        words = range(address, address + count, WORD_BYTES)
        return b"".join(self._access(READ, at)[1].to_bytes(WORD_BYTES, "little") for at in words)

    def _require_time(self) -> None:
        """Begin to wait, or see whether there is time left."""
        now = time.monotonic()
        if self._until is None:
            self._until = now + self._patience_s
        elif now > self._until:
            self._until = None
            raise LinkError(
                f"the chip at {self.port} has not ended its program after {self._patience_s:g} s; "
                "reset the board"
            )

    def _synchronise(self) -> None:
        """End a request that another host has begun, and forget what comes of it."""
        self._send(bytes(REQUEST_BYTES))
        time.sleep(SILENCE_S)
        try:
            self._serial.reset_input_buffer()
        except OSError as error:
            raise _lost(self.port, error) from error

    def _access(self, kind: bytes, address: int, data: int = 0) -> tuple[bool, int]:
        """Whether it was refused, and what was read."""
        self._send(kind + address.to_bytes(4, "little") + data.to_bytes(4, "little"))
        try:
            answer = self._serial.read(ANSWER_BYTES)
        except OSError as error:
            raise _lost(self.port, error) from error
        if len(answer) != ANSWER_BYTES:
            raise LinkError(
                f"the board at {self.port} does not answer: {len(answer)} of {ANSWER_BYTES} bytes "
                f"within {ANSWER_S:g} s at {BAUD:,} baud; load its bitstream, or name another port"
            )
        if answer[0] > 1:
            raise LinkError(
                f"what is at {self.port} is no zeroskip board: it answered with {answer.hex()}"
            )
        return answer[0] == 1, int.from_bytes(answer[1:], "little")

    def _send(self, content: bytes) -> None:
        try:
            self._serial.write(content)
        except OSError as error:
            raise _lost(self.port, error) from error


def _opened(port: str) -> Any:
    """The port as pyserial has it."""
    try:
        import serial
    except ImportError:
        raise LinkError(
            "a board needs pyserial; install the extra: pip install 'zeroskip[board]'"
        ) from None
    try:
        return serial.serial_for_url(
            port, baudrate=BAUD, timeout=ANSWER_S, write_timeout=ANSWER_S, exclusive=True
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise LinkError(
            f"cannot open the serial port {port}: {reason}; see which there are with "
            "python -m serial.tools.list_ports"
        ) from error


def _lost(port: str, error: OSError) -> LinkError:
    return LinkError(f"the line to the board at {port} is lost: {error}; is it plugged in?")
