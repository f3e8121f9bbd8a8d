from kdbench import compressor


@compressor(accepts=("onnx",), gives="onnx")
def toy_onnx_only(artefact):
    """Wants ONNX."""
    return artefact
