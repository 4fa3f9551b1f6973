"""What a process has taken of the machine that it runs on."""

import re
import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_memory_mib() -> float:
    """The most memory that this process has held, in MiB.

    Linux keeps it with the memory itself (`VmHWM` in proc(5)). What getrusage(2) says there is no
    less than what the process that began this one held, however little this one takes.
    """
    if STATUS.exists():
        found = re.search(r"^VmHWM:\s*(\d+) kB$", STATUS.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) / (1 << 10)
    return mebibytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def mebibytes(maxrss: int) -> float:
    """What the system says of a process's memory, in the units that it has."""
    return maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
