"""Models that others made, compared with TensorFlow Lite Micro: `python -m tests.public FOLDER...`.

    files    what a file says of itself, whether it runs here or not
    calls    the inputs that a model is tried with
    oracle   what TensorFlow Lite Micro answers
    compare  one model on kernels and twin against those answers
    guard    a child process for each model, so that no model ends the others
    table    what is printed of all

Written by hand, run by hand: `keras_models` makes models of Keras's layers.
"""
