from kdbench import Fraction, view


@view(recorded=False)
def toy_flip(batch, rng, *, share: Fraction = 0.5):
    """Mirror some examples."""
    return batch
