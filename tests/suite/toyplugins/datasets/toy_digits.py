from kdbench import dataset


@dataset(kind="image", files=(), groups=("ink", "writer"))
def toy_digits(root, *, noisy: bool = False):
    """Digits of the toys."""
    return object()
