from kdbench import Count, target


@target(accepts=("torch", "onnx"))
def toy_ort(artefact, example, *, threads: Count = 1):
    """Exported."""
    return object()
