"""Views of the register table for other tools: SystemRDL, C, Markdown, IP-XACT."""

from collections.abc import Sequence

from rtl.control.registers import REGISTERS, Register
from rtl.views import c_header, ipxact, markdown, systemrdl

RDL, HEADER, PAGE, XML = "zeroskip.rdl", "zeroskip_regs.h", "registers.md", "zeroskip.xml"


def texts(registers: Sequence[Register] = REGISTERS) -> dict[str, str]:
    """Every view, by the name of its file; IP-XACT where the extra `views` is installed."""
    rdl = systemrdl.text(registers)
    views = {RDL: rdl, HEADER: c_header.text(registers), PAGE: markdown.text(registers)}
    if not left_out():
        views[XML] = ipxact.text(rdl)
    return views


def left_out() -> tuple[str, ...]:
    """Names of the views for which the extra `views` is needed and not installed."""
    return () if ipxact.is_installed() else (XML,)
