"""Compiled images, the sessions that run them, and how long a start of one may take.

`header` says what an image holds and where its program may be started, `image` reads and checks the
file, `sessions` start its entries, `host_search` searches a transducer whose image has an entry for
each network, and `calls` has a session for any image.
"""
