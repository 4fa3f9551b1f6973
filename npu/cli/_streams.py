"""Standard streams that may be closed, full, or of a narrow encoding."""

import os
import sys
from contextlib import suppress

from npu.errors import NpuError


def prepare() -> None:
    """Make the streams safe: what an encoding lacks is written as an escape.

    A closed stream's number would be given to the next file that is opened, and what is meant for
    the stream would land in that file: it is opened on the null device. Raises NpuError where
    standard output is closed, since nobody would see the answer.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - until the process ends
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        raise NpuError("standard output is closed; send it to a file or to /dev/null")


def drop_output() -> None:
    """What is still to be written to standard output goes nowhere, at exit too."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
