"""Commands in processes of their own, measured."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from npu.analysis.memory import mebibytes
from npu.analysis.results_beside import ProcessReport
from npu.errors import NpuError

# Linux counts what a process takes before it becomes another program to that one's peak; so it is
# started from a process that takes next to nothing. Seconds of processors are of its children, too.
_LAUNCH = """
import json, os, sys
place, *words = sys.argv[1:]
child = os.spawnv(os.P_NOWAIT, words[0], words)
_, status, used = os.wait4(child, 0)
found = [os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss]
with open(place, "w") as file:
    json.dump(found, file)
"""


def run_npu(*arguments: str, environment: Mapping[str, str] | None = None) -> ProcessReport:
    """`npu ARGUMENTS`, whose output is thrown away.

    environment : this process's unless given.

    Raises NpuError with what the command said where it fails.
    """
    with TemporaryDirectory(prefix="zeroskip-") as folder:
        told, used = Path(folder, "told.txt"), Path(folder, "used.json")
        launch = [sys.executable, "-S", "-c", _LAUNCH, str(used)]
        began = time.perf_counter()
        with told.open("wb") as stderr:
            subprocess.run(
                [*launch, sys.executable, "-m", "npu.cli", *arguments],
                env=dict(os.environ if environment is None else environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                check=True,
            )
        seconds = time.perf_counter() - began
        status, cpu_seconds, peak = json.loads(used.read_text(encoding="utf-8"))
        if status:
            lines = told.read_text(encoding="utf-8", errors="replace").splitlines()
            said = lines[-1].removeprefix("error: ") if lines else f"npu {arguments[0]} failed"
            raise NpuError(said)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_memory_mib": mebibytes(peak),
    }
