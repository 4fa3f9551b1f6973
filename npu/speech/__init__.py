"""From sound to what a transducer eats, and from its symbols to phrases: host software.

Audio at any rate, log-mel features, the search policies that ask the networks, the ends of phrases.
"""
