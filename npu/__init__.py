"""The specification of the chip and its simulator, in rooms.

    chip      parameters, presets, instruction set, weight format, timing, records
    model     the quantised graph, integer arithmetic and parameters, what a folder says
    speech    audio, features, phrases
    twin      the cycle-accurate chip
    runtime   images and their sessions
    analysis  cycles by layer and unit, energy
    zoo       trained models
    cli       the command line: the roof, the only part that may import the other packages

Which room may import which stands in `tests/test_layout.py`. Beside them lie the few modules that
every room needs: errors, files, text, caches and compiled loops.
"""
