"""Random models of many operators, live against TensorFlow Lite Micro.

`python -m tests.networks [--graphs N] [--seed S] [--chip NAME] [--keep FOLDER] [--only NUMBER]`

    grow     a model that grows operator by operator, each chosen for what there is to read
    layers   the operators that suit a tensor: products, windows, functions, sums, moves
    graft    models of one operator (`tests.tflite_kinds`) grafted on it, in every form they have
    make     a random model from a seed
"""
