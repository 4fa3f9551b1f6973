"""What a process has taken of the machine that it runs on."""

import resource
import sys


def peak_memory_mib() -> float:
    """The most memory that this process has held."""
    return mebibytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def mebibytes(maxrss: int) -> float:
    """What the system says of a process's memory, in the units that it has."""
    return maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
