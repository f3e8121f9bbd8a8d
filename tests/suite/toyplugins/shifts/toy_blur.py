from kdbench import shift


@shift(kinds=("image",))
def toy_blur(x, severity, rng):
    """Blur."""
    return x
