"""What a matrix-vector command did, in cycles and counts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """What a matrix-vector command did: cycles in all, and what its units counted.

    `run_cycles` are those from the lanes' first turn to the last write; `symbols` includes explicit
    zero weights, `macs` does not; `turns` are those in which the lanes decode, ends of rows
    included; `decode_cycles` those from the lanes' first turn to their last, were none to wait;
    `stalled` turns waited for the requantiser; `reads` are words of SRAM, `bank_words` those of all
    banks, `param_words` those of parameter memory. All are sums over the positions.
    """

    cycles: int
    run_cycles: int
    turns: int
    decode_cycles: int
    positions: int
    symbols: int
    macs: int
    stalled: int
    bank_words: int
    param_words: int
    rows: int
    reads: int
