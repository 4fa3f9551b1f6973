"""The register table as IP-XACT (IEEE 1685-2014), which PeakRDL makes from our SystemRDL."""

import importlib.util
import tempfile
from pathlib import Path

from npu import __version__

VENDOR, LIBRARY = "zeroskip", "npu"


def is_installed() -> bool:
    """Whether the extra `views` is there, which brings the tools."""
    return all(importlib.util.find_spec(name) for name in ("systemrdl", "peakrdl_ipxact"))


def text(rdl: str) -> str:
    """The component `zeroskip` with its memory map. Needs the extra `views`."""
    from peakrdl_ipxact import IPXACTExporter
    from systemrdl import RDLCompiler

    with tempfile.TemporaryDirectory(prefix="views-") as folder:
        source, made = Path(folder) / "zeroskip.rdl", Path(folder) / "zeroskip.xml"
        source.write_text(rdl, encoding="utf-8")
        compiler = RDLCompiler()
        compiler.compile_file(str(source))
        exporter = IPXACTExporter(vendor=VENDOR, library=LIBRARY, version=__version__)
        exporter.export(compiler.elaborate(), str(made), component_name="zeroskip")
        return made.read_text(encoding="utf-8")
