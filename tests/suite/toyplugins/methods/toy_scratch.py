from kdbench import method


@method(recipe={"toy_ce": 1})
def toy_scratch(student, batch):
    """No teacher."""
    return 0
