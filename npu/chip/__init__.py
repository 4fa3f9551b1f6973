"""The chip as all other parts see it: parameters, instruction set, weight format, timing, records.

The one place of each of these facts; compiler, twin and RTL read it alike. What it computes is time
alone: `timing` has the latencies, `lanes` how long streams keep the lanes busy, `cost` what every
command takes. `machine` is the interface of whatever runs a program, with the external `memory` and
the `limit` of a start.
"""
