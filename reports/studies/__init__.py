"""Studies: things that are not in the product, built and measured to decide whether they should be.

Each is a folder with its code, its measurements and its page, run as `python -m
reports.studies.NAME`. Nothing in the product imports one.

    codecs   other coders for the weights: bytes on the same matrices, and their decoders in gates
"""
