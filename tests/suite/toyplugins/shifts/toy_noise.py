from kdbench import NonNegative, shift


@shift(kinds=("image",))
def toy_noise(x, severity, rng, *, sigma: NonNegative = 0.1):
    """Noise."""
    return x
