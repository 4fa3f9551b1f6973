"""Coders that could take the place of ours: what each makes of the same symbols, and its decoder.

`python -m reports.studies.codecs` measures sizes (`sizes`) and, by place and route, the decoders
(`gates`), and writes `candidates.json`, `candidates.md` and `candidates.png` here (`page`).

- `streams`: the symbols of a compressed matrix, slot by slot, and what surrounds them;
- `rice`, `tans`: the coders that the project has no other use for, with encoder and decoder;
- `barrel`: what the decoders share, then one file per decoder.
"""
