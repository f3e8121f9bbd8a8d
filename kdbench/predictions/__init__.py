"""Predictions as files: what was said about each example, in a format that anyone can write and read.

    a file -> Raw (columns) -> Table (checked) -> joined with the others by id -> entries of the store -> judged

The format is described in docs/predictions.md. Nothing is guessed from the numbers: the names of the columns say what they are.
Importing this loads no numerical library; its rooms do.
"""
