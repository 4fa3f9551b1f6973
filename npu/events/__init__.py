"""The chip as events: when commands and transfers begin and end, without an element of data.

`machine` runs a program's scalar commands for real; commands of the other units take what they cost
on the twin, whose own units run them here with their arithmetic left out, transfers too. What a
stretch of the program costs is remembered (`stretch`), because the same commands at the same state
take the same cycles. Where data decide how the program goes on (`relevance` says at which
commands), a `trace` does, recorded once on the twin or told by the kernels.
"""
