"""From sound to what a transducer eats, and from its symbols to phrases: host software.

Audio at any rate, log-mel features, the ends of phrases.
"""
