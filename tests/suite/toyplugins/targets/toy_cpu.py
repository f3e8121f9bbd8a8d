from kdbench import Count, target


@target(accepts=("torch",), reference=True)
def toy_cpu(artefact, example, *, threads: Count = 1):
    """Eager."""
    return object()
