"""What a decoder of a value stream takes on an FPGA, candidate by candidate."""

import statistics
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from amaranth.lib import wiring

from npu.chip.params import ChipParams
from npu.chip.weight_format import ENTRY_BITS, MAX_CODE_BITS, MAX_SYMBOLS
from reports.studies.codecs import lookup_decoder, rice, sizes
from reports.studies.codecs.fixed_decoder import FixedDecoder
from reports.studies.codecs.lookup_decoder import FILL_CYCLES, WINDOWS, LookupDecoder
from reports.studies.codecs.rice_decoder import TABLE_ROWS, RiceDecoder
from reports.studies.codecs.tans_decoder import TansDecoder, row_layout
from rtl.lane import decoder
from rtl.synth import synthesise_timed
from rtl.synth.timed import Timed

DEVICE = "45k"
SEEDS = range(1, 6)

DECODERS: dict[str, Callable[[int], wiring.Component]] = {
    sizes.OURS: decoder.StreamDecoder,
    sizes.LOOKUP: LookupDecoder,
    **{
        sizes.tans_name(state_bits): partial(TansDecoder, state_bits=state_bits)
        for state_bits in sizes.STATE_BITS
    },
    sizes.RICE: partial(RiceDecoder, palette=False),
    sizes.PALETTE: partial(RiceDecoder, palette=True),
    sizes.FIXED: partial(FixedDecoder, width=sizes.VALUE_BITS),
}
"""The decoder of every candidate, for a number of threads."""

FILL: dict[str, int] = {
    sizes.OURS: max(decoder.TABLE_ROWS, MAX_CODE_BITS + 1),
    sizes.LOOKUP: FILL_CYCLES,
    **{sizes.tans_name(n): 1 << n for n in sizes.STATE_BITS},
    sizes.RICE: 0,
    sizes.PALETTE: TABLE_ROWS,
    sizes.FIXED: 0,
}
"""Most cycles in which a decoder's tables are written, for each code set and product."""


TABLE_BITS: dict[str, int] = {
    sizes.OURS: MAX_SYMBOLS * ENTRY_BITS,
    sizes.LOOKUP: WINDOWS * lookup_decoder.ROW.size,
    **{sizes.tans_name(n): row_layout(n).size << n for n in sizes.STATE_BITS},
    sizes.RICE: 0,
    sizes.PALETTE: rice.NUMBERS * ENTRY_BITS,
    sizes.FIXED: 0,
}
"""Bits of RAM in which a decoder's table stands."""


def measured(params: ChipParams, tell: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Utilisation, and the clock of every seed, of every decoder; threads as the chip has."""
    found = {}
    for name, create in DECODERS.items():
        results = []
        tell(name)
        for seed in SEEDS:
            timed = Timed(create(params.threads))
            results.append(synthesise_timed(params, name, timed, device=DEVICE, seeds=(seed,)))
        clocks = [result.fmax_mhz for result in results]
        found[name] = {
            "utilisation": asdict(results[0].utilisation),
            "fmax_mhz": clocks,
            "median_mhz": statistics.median(clocks),
            "critical_path": results[0].critical_path.to_dict(),
            "fill_cycles": FILL[name],
            "table_bits": TABLE_BITS[name],
        }
    return found
