"""Pages and pictures: one script per page, from the JSON that a command wrote.

A script reads `reports/NAME.json` and writes `NAME.md` beside it; it computes nothing that a
command could report. Measurements of things that are not in the product are in `studies`. Nothing
here imports the command line; where what it prints is wanted, it is run as a user runs it.
"""
