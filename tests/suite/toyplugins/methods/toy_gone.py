from kdbench import method


@method(recipe={"toy_nothing": 1})
def toy_gone(student):
    """A recipe that names no method."""
    return 0
