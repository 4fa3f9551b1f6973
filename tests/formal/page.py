"""Regenerate `tests/formal/README.md` from the proofs: `python -m tests.formal.page`.

What is proven is read from the specifications. What is given up, and how long a proof took, stands
here.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from amaranth.hdl import Fragment

from tests.formal.prove import Verdict, prove

FOLDER = Path(__file__).parent
PAGE = FOLDER / "README.md"

SECONDS = {
    "test_proof_axi::test_bursts": 4,
    "test_proof_axi::test_dealer": 15,
    "test_proof_axi::test_manager": 11,
    "test_proof_axilite::test_subordinate": 3,
    "test_proof_codes::test_table": 62,
    "test_proof_codes::test_entries": 170,
    "test_proof_codes::test_rest": 3,
    "test_proof_control::test_control": 6,
    "test_proof_fetch::test_fetch": 15,
    "test_proof_fifos::test_fifo": 9,
    "test_proof_fifos::test_collector": 267,
    "test_proof_hold::test_hold": 32,
    "test_proof_lane::test_load": 4,
    "test_proof_lane::test_turns": 464,
    "test_proof_requantiser::test_row": 16,
    "test_proof_requantiser::test_flight": 5,
    "test_proof_rescale::test_rescale": 42,
    "test_proof_scalars::test_product": 12,
    "test_proof_scalars::test_scalars": 22,
    "test_proof_sequencer::test_sequencer": 11,
    "test_proof_tile::test_places": 9,
    "test_proof_transfers::test_transfers": 16,
}
"""Of each proof, all its cases one after the other, on two cores that others used too."""

GIVEN_UP = {
    "the chip": {
        "in one proof, that after a reset the chip is idle whenever the bus answers": (
            "made by hand of `test_control` (a held chip is reset once the bus is quiet, and is "
            "idle), `test_hold` (a held DMA begins no transfer, and ends its own after so many "
            "handshakes) and `test_manager` (it waits for nothing but the bus): what one assumes "
            "another proves. A proof of the whole chip was not tried"
        ),
        "vector unit, matrix-vector control, loaders, memories": (
            "no specification; lockstep with the twin"
        ),
    },
    "test_proof_axi": {
        "transfers of 64 beats and more, a bus of other than 8 bytes": "counters as narrow; tests",
        "which data goes where": "no specification; tests",
    },
    "test_proof_codes": {"decoders of more than 2 threads": "one size; tests"},
    "test_proof_control": {
        "that the counters behind CYCLES count": "made by the same lines; tests",
        "buses and program memories of other sizes": "one size; tests",
    },
    "test_proof_fifos": {
        "collectors of more than 2 lanes, or of FIFOs of other depths than 8": "one size; tests",
    },
    "test_proof_hold": {
        "transfers of 4 beats and more": "counters as narrow; tests",
        "that registers have their reset values": "tests reset in any cycle of a program",
    },
    "test_proof_lane": {
        "banks of more than 64 bytes, rows of more than 8 columns": "one size; tests",
    },
    "test_proof_tile": {
        "which words of a tile go where, and that one that fits is taken": (
            "no specification; tests and lockstep with the twin"
        ),
    },
    "test_proof_rescale": {"16-bit products": "cut: free, but the same on both sides; tests"},
    "test_proof_scalars": {
        "16-bit products of MUL": (
            "cut, as above: induction with the whole multiplier found nothing in 300 seconds; tests"
        ),
    },
    "test_proof_sequencer": {
        "the flow together with its sums": (
            "PDR ended in one minute or not in eight, by chance; cut at `refusal_stays`, which "
            "`test_transfers` proves"
        ),
    },
}
"""What is not proven, and the limit that it met or what stands in for it; by file."""

HEAD = """# Proofs about the hardware

Written by `python -m tests.formal.page` from the specifications in this folder; edit those.

`make formal` runs all of them, `make test` those that are not marked `formal`. Each has faults
beside it for which it fails (`test_faulty_...`). The solvers are Yosys and the ABC inside it:

- pdr: property-directed reachability, from the reset state on, for any number of cycles;
- induction: k-induction, the same claim;
- run: from any state of the unit's registers, every run of so many cycles.

A case of a proof that is not done within its limit fails; what is measured is all cases together,
on two cores with other work on them. A name with `_n` stands for one check for every number or
thread; lemmas, which only help the solver, are proven too and left out here.

## Proven

| proof | of what | properties | how | limit, s | took, s |
|---|---|---|---|---|---|
"""
LEFT_OUT = """
## Given up

| of | not proven | limit, and what stands in for it |
|---|---|---|
"""


@dataclass
class Proof:
    """One test that proves something, with all its cases."""

    name: str
    what: str
    checks: list[str]
    how: str
    limit: int
    cases: int


def modules() -> Iterator[ModuleType]:
    for path in sorted(FOLDER.glob("test_proof_*.py")):
        yield importlib.import_module(f"tests.formal.{path.stem}")


def cases(test: FunctionType) -> Iterator[dict]:
    """The arguments of every case of a test, without its fixtures."""
    axes = []
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args
            names = [names] if isinstance(names, str) else list(names)
            axes.append([(names, getattr(value, "values", (value,))) for value in values])
    for chosen in product(*axes):
        yield {name: v for names, values in chosen for name, v in zip(names, values, strict=True)}


def checks(spec) -> list[str]:
    """Names of what a specification states, lemmas left out."""
    found = []
    for statements in Fragment.get(spec, "formal").statements.values():
        for signal in statements._lhs_signals():
            name = signal.name.removeprefix("check_")
            if name != signal.name and not name.startswith("lemma_"):
                found.append(re.sub(r"_\d+\b", "_n", name))
    return sorted(set(found))


def proofs(module: ModuleType) -> Iterator[Proof]:
    """Every test that asserts a proof, from what it hands to `prove`."""
    signature = inspect.signature(prove)
    for name, test in vars(module).items():
        if not name.startswith("test_") or "verdict.proved" not in inspect.getsource(test):
            continue
        asked: list[tuple] = []

        def record(*args, _asked=asked, **options) -> Verdict:
            bound = signature.bind(*args, **options)
            bound.apply_defaults()
            _asked.append((checks(bound.arguments["spec"]), bound.arguments))
            return Verdict("proved", bound.arguments["method"], bound.arguments["depth"], 0)

        count = 0
        for arguments in cases(test):
            with pytest.MonkeyPatch.context() as monkeypatch:
                monkeypatch.setattr(module, "prove", record)
                if "monkeypatch" in inspect.signature(test).parameters:
                    arguments["monkeypatch"] = monkeypatch
                test(**arguments)
            count += 1
        stated = sorted({check for found, _ in asked for check in found})
        arguments = asked[0][1]
        what = inspect.getdoc(type(arguments["spec"])).splitlines()[0]
        how = arguments["method"]
        if how != "pdr":
            how += f", {arguments['depth']} cycles"
        if arguments["any_state"]:
            how += ", from any state"
        if arguments["same_products"]:
            how += ", products cut"
        if arguments["free_sums"]:
            how += f", sums from {arguments['free_sums']} bits on cut"
        title = f"{module.__name__.rpartition('.')[2]}::{name}"
        yield Proof(title, what, stated, how, arguments["seconds"], count)


def page() -> str:
    """The page as Markdown."""
    text = HEAD
    for module in modules():
        for proof in proofs(module):
            count = f" ({proof.cases} cases)" if proof.cases > 1 else ""
            names = ", ".join(f"`{name}`" for name in proof.checks)
            times = [str(proof.limit), str(SECONDS[proof.name])]
            cells = [f"`{proof.name}`{count}", proof.what, names, proof.how, *times]
            text += f"| {' | '.join(cells)} |\n"
    text += LEFT_OUT
    for name, items in GIVEN_UP.items():
        text += "".join(f"| {name} | {what} | {why} |\n" for what, why in items.items())
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
