"""The chip as all other parts see it: parameters, instruction set, weight format, timing, records.

The one place of each of these facts. Nothing here computes: compiler, twin and RTL read it alike.
"""
