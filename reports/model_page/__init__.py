"""The page of a model on a chip: one HTML file with its figures, for `npu report`.

`content` gathers what the page shows, `figures` draw it (`canvas` makes their SVG fit for both
themes and any width), `tables` show the same as text, `page` puts all of it into the template.
"""
