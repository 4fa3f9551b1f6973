"""The matrix-vector unit: lanes, what fills them, and what comes out of them.

`matvec` is the unit. `block_loader` reads a block's codes and scales, `activation_loader` the
vector, word by word as its `walker` says; `collector` picks the rows that are done, `requantiser`
makes them int8 or int16 and writes them. `held` keeps what WINDOW and POSITIONS say, `positions`
where the rows of each position go.
"""
