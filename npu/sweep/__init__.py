"""Many models on many chips: points that are worked out once, on all cores or many machines.

    spec, weights        which points; weights pruned and rounded further
    point, images        what names a point; images that several points share
    compute              what a point costs, as a row
    run, folder          points on Dask; their rows in a folder of Parquet files
    front, pictures      which points are beaten by no other; as a table, an SVG and a page
    fit                  the smallest chip that is fast enough

It stands above compiler and analyses, and below the command line.
"""
