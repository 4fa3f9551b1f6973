"""What more than one unit is made of: the contracts between units, the bus, commands, rescaling.

`interfaces` holds the signatures between the units, `axi` those of the external bus, `commands` the
views of a command and its legality, `layouts` those of what the software puts into memories,
`rescale` the multiplier that requantiser and vector unit share. Imports no other room.
"""
