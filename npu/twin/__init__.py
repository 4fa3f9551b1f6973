"""The chip in software: a model that counts every cycle and computes every bit."""
