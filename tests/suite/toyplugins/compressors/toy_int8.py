from kdbench import Count, compressor


@compressor(accepts=("torch",), gives="onnx", calibration=True)
def toy_int8(artefact, calibration, *, calibration_rows: Count = 256, symmetric: bool = True):
    """Quantize."""
    return artefact
