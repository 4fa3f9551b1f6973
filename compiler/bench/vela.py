"""Vela's estimates for whole models: what Arm's compiler expects of its Ethos-U processors.

They are estimates of a performance model, made by the compiler itself; no hardware and no simulator
ran. What Vela leaves to the CPU is not in its cycles, so the share of operators that the processor
takes stands beside them.
"""

import csv
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from compiler.bench.results import VelaReport
from npu.errors import NpuError

TIMEOUT_S = 600
_SHARE = re.compile(r"^(CPU|NPU) operators = (\d+)", re.MULTILINE)
_KIB = 1024


@dataclass(frozen=True)
class Peer:
    """A processor of Vela's, with the system that its configuration file describes.

    Attributes
    ----------
    macs : multiplications per cycle.
    """

    accelerator: str
    system: str
    memory: str
    macs: int

    def options(self) -> list[str]:
        """As Vela takes them."""
        return [
            "--config=Arm/vela.ini",
            f"--accelerator-config={self.accelerator}",
            f"--system-config={self.system}",
            f"--memory-mode={self.memory}",
        ]


PEERS = {
    "U55-128": Peer("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram", 128),
    "U55-256": Peer("ethos-u55-256", "Ethos_U55_High_End_Embedded", "Shared_Sram", 256),
    "U65-256": Peer("ethos-u65-256", "Ethos_U65_High_End", "Dedicated_Sram", 256),
    "U65-512": Peer("ethos-u65-512", "Ethos_U65_High_End", "Dedicated_Sram", 512),
}
"""What is measured: peers from `edge`'s size to `max`'s.

Systems and memories are as Vela's own defaults are.
"""


def vela_report(model: Path, peer: Peer) -> VelaReport:
    """Vela's summary of one model for one processor.

    Raises NpuError where it takes longer than `TIMEOUT_S`. A model that it does not take gives a
    report with the reason, as does a Vela that is not installed.
    """
    if find_spec("ethosu") is None:
        return _refused("Vela is not installed; install the extra: pip install 'zeroskip[bench]'")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ethosu.vela", str(model.resolve()), *peer.options()]
        try:
            ran = subprocess.run(
                [*command, f"--output-dir={folder}"],
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                cwd=folder,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NpuError(f"{model}: Vela takes longer than {TIMEOUT_S} s") from None
        tables = sorted(Path(folder).glob("*_summary_*.csv"))
        if ran.returncode or not tables:
            return _refused(ran.stdout + ran.stderr)
        with tables[0].open(encoding="utf-8", newline="") as file:
            row = next(csv.DictReader(file))
    return _report(row, dict(_SHARE.findall(ran.stdout)))


def _report(row: dict[str, str], operators: dict[str, str]) -> VelaReport:
    def number(key: str) -> int:
        return round(float(row[key]))

    return {
        "refused": None,
        "cycles": number("cycles_total"),
        "npu_cycles": number("cycles_npu"),
        "clock_mhz": float(row["core_clock"]) / 1e6,
        "macs": number("nn_macs"),
        "sram_bytes": round(float(row["sram_memory_used"]) * _KIB),
        "weight_bytes": number("total_npu_encoded_weights"),
        "npu_operators": int(operators["NPU"]),
        "cpu_operators": int(operators["CPU"]),
    }


def _refused(said: str) -> VelaReport:
    lines = [line for line in said.splitlines() if line.strip()]
    return {
        "refused": lines[-1].strip()[:300] if lines else "no output",
        "cycles": None,
        "npu_cycles": None,
        "clock_mhz": None,
        "macs": None,
        "sram_bytes": None,
        "weight_bytes": None,
        "npu_operators": None,
        "cpu_operators": None,
    }
