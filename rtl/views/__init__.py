"""Views of the register table for other tools: SystemRDL, C, Markdown, IP-XACT."""

from rtl.views import c_header, ipxact, markdown, systemrdl

RDL, HEADER, PAGE, XML = "zeroskip.rdl", "zeroskip_regs.h", "registers.md", "zeroskip.xml"


def texts() -> dict[str, str]:
    """Every view, by the name of its file; IP-XACT where the extra `views` is installed."""
    rdl = systemrdl.text()
    views = {RDL: rdl, HEADER: c_header.text(), PAGE: markdown.text()}
    if ipxact.is_installed():
        views[XML] = ipxact.text(rdl)
    return views
