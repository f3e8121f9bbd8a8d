from kdbench import dataset


@dataset(kind="table", files=("{path}",), groups=("*",))
def toy_table(root, *, path: str, label: str = "y", groups: list[str] = ()):
    """Rows of a file."""
    return object()
