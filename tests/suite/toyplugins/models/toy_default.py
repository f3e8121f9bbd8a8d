from kdbench import Count, model


@model(kinds=("image",))
def toy_default(shape, *, depth: Count = 0):
    """A default outside its own range."""
    return object()
