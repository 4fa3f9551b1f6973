"""Float models that packages ship, quantised here, beside the runtimes that they were made for.

    python -m reports.shipped FOLDER --download

packages  wheels and folders, and the models in them
inputs    what a model hears or sees: speech, pictures, symbols
outside   a file as onnxruntime and LiteRT run it
measure   one model: quantised, our kernels beside its own runtime in floats
rows      what is known of a model
limited   a process with a limit of time and memory
page      the table
"""
