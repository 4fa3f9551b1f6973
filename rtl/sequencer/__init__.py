"""The sequencer: fetches commands, hands them to the units, and runs the scalar ones itself.

`sequencer` is the unit, `scalars` its registers.
"""
