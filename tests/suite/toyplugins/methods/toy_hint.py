from kdbench import Count, Fraction, Positive, method


@method(taps=True)
def toy_hint(student, teacher, *, power: float = 2, layers: Count = 3, margin: Positive | None = None, alpha: Fraction = 0.5):
    """Hints."""
    return 0
