"""The scalar registers of our programs, each with one use.

The host sets and reads those of `npu.runtime.host_interface`.
"""

FEATURES = 2
"""Offset of a call's inputs in the ring that the host has written."""

EMITTED = 4
"""Symbols of this frame so far."""

SCRATCH = 6
"""Of one address, no longer than between two commands."""

RUNNING = 7
"""0 while an utterance begins, when the decoder is all that runs; then 1, or of several frames that
an encoder call gives those that are left, with the one that is joined."""

WORD = 8
"""What is stored of a symbol."""

INDEX = 14
"""An index that the host has written, on its way to its table."""
