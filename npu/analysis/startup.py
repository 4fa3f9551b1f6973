"""How long the first command takes on a machine, and the next one: in processes of their own.

The first one compiles the simulator to machine code, into a cache that is empty here; the next one
finds it there. Both compile a model and run it once on the twin.
"""

import os
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from npu.analysis.process import run_npu
from npu.analysis.results_beside import ProcessReport, StartupReport

HELP_RUNS = 5
COMPILED = "*.nbc"
"""Of numba's files: one for each compiled function and the types that it was compiled for."""


def startup_report(model: str, chip: str) -> StartupReport:
    """Measure `npu --help`, and `npu compile` of a model with an empty and with a full cache.

    model, chip : as the command line takes them. Raises NpuError with what the command said where
    it fails.
    """
    with TemporaryDirectory(prefix="zeroskip-") as folder:
        place = Path(folder)
        helps = [_run(place, "--help")["seconds"] for _ in range(HELP_RUNS)]
        image = str(place / "model.npu")
        first = _run(place, "compile", model, "-o", image, "--chip", chip)
        compiled = list(place.rglob(COMPILED))
        return {
            "model": model,
            "chip": chip,
            "help_seconds": statistics.median(helps),
            "first": first,
            "next": _run(place, "compile", model, "-o", image, "--chip", chip),
            "functions": len(compiled),
            "cache_bytes": sum(path.stat().st_size for path in compiled),
        }


def _run(cache: Path, *arguments: str) -> ProcessReport:
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    return run_npu(*arguments, environment=environment | {"XDG_CACHE_HOME": str(cache)})
