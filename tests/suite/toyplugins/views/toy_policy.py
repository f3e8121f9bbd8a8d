from kdbench import view


@view()
def toy_policy(batch, rng, student, teacher):
    """Ask the teacher."""
    return batch
