"""What goes over a board's serial line: what the host and the board must agree on.

A request has REQUEST_BYTES bytes: WRITE or READ, address, data (little-endian; ignored by a read).
The answer has ANSWER_BYTES: 0 or, for a refused register access, 1; then the data that was read. A
request starts when the last answer has come. Any other first byte is skipped, so that
REQUEST_BYTES zeros bring both sides together.
"""

REQUEST_BYTES, ANSWER_BYTES = 9, 5
WRITE, READ = b"w", b"r"
# Top bit of the address: registers, not memory.
REGISTERS = 1 << 31

BAUD = 1_000_000
# External memory of a board, out of block RAM.
MEMORY_BYTES = 1 << 18
