"""Waveforms of the twin under the RTL's signal names, and their comparison with the RTL's."""
