"""The sequencer: fetches commands, hands them to the units, and runs the scalar ones itself.

`sequencer` is the unit, `command` what it knows of the command at hand, `scalars` its registers.
"""
