"""What the voices say: sentences from a grammar, speech synthesisers, and who is on which side.

A corpus is a folder of shards: samples, and a line for each clip with its text, its speaker and the
times of its words. It is made from synthesisers of Debian and PyPI alone.
"""
