from kdbench import shift


@shift(kinds=("table",))
def toy_missing(x, severity, rng):
    """Missing values."""
    return x
