from collections.abc import Callable

from kdbench import model


@model(kinds=("image",))
def toy_strange(shape, *, thing: Callable[[int], int] = None):
    """A type that no suite can write."""
    return object()
