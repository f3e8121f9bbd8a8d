from kdbench import Fraction, model


@model(kinds=("table", "image"))
def toy_mlp(
    shape,
    *,
    widths: list[int] = (64, 64),
    dropout: Fraction = 0.0,
    ends: tuple[float, float] = (0, 1),
    extra: dict | None = None,
    label: str = "",
    names: list[str] = (),
    rate: float | None = None,
    seed: int = 0,
):
    """A net with every kind of parameter."""
    return object()
