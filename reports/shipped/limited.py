"""A process that may take so long and so much memory."""

import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from typing import NamedTuple


class Ended(NamedTuple):
    """What a process printed; `stopped` says why it has no answer, else it is empty."""

    output: str
    stopped: str


def limited(words: Sequence[str], seconds: float, memory_bytes: int) -> Ended:
    """Run a command, and end it with all that it started when it takes longer.

    memory_bytes : of its address space, of each of its processes
    """
    with subprocess.Popen(
        list(words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        errors="replace",
    ) as child:
        resource.prlimit(child.pid, resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        try:
            output, told = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return Ended("", f"not done after {seconds:g} s")
    if child.returncode == 0:
        return Ended(output, "")
    if "MemoryError" in told or "bad_alloc" in told:
        return Ended("", f"needs more than {memory_bytes / (1 << 30):g} GiB")
    last = (told.strip() or "nothing said").splitlines()[-1]
    if child.returncode < 0:
        return Ended("", f"ended by signal {-child.returncode}: {last:.200}")
    return Ended("", f"failed: {last:.200}")
