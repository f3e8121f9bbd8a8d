from kdbench import method


@method()
def toy_taken(student, *, weight: float = 1.0):
    """A parameter whose name means something else."""
    return 0
