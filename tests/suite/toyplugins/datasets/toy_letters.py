from kdbench import dataset


@dataset(kind="image", files=())
def toy_letters(root):
    """Letters of the toys."""
    return object()
