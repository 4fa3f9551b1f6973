"""What a notebook works with: chips with other parameters, compiled programs, results as rows.

Its names are those of `npu`, which loads them when they are used.
"""
