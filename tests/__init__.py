"""The tests mirror the sources; `naive.py` is the slow oracle that shares no code with them."""
