from kdbench import metric


@metric(better="higher", low=0, high=1)
def toy_accuracy(predictions):
    """Share of correct answers."""
    return 0
