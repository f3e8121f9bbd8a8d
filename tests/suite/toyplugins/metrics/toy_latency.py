from kdbench import metric


@metric(better="lower", unit="s", low=0, form="measured")
def toy_latency(latency):
    """Time."""
    return 0
