"""Measurements of the compiler's parts beside their peers, as reports.

    cases    the matrices: those of a model, and random ones of many kinds
    results  the schema of the report
    codec    the weight codec on them: bytes with everything counted, and rates of one thread

What is printed and drawn of them is in `reports`.
"""

CHIP = "edge"
"""Where it is measured if nothing else is asked for."""
