from kdbench import Count, compressor


@compressor(accepts=("torch",), gives="onnx")
def toy_int8(artefact, examples, *, calibration_rows: Count = 256, symmetric: bool = True):
    """Quantize."""
    return artefact
