from kdbench import method


@method()
def toy_ce(student, batch):
    """Cross-entropy."""
    return 0
