"""The chip in Amaranth: one component per file, streams between them, sized by `npu`'s parameters.

Constants, layouts and the instruction table are imported from `npu`, never repeated. Needs the
`rtl` extra.
"""
