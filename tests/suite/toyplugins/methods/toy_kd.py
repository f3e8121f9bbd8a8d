from typing import Literal

from kdbench import Positive, method


@method(recipe={"toy_ce": 0.1, "toy_kd": {"weight": 0.9, "temperature": 4}}, train={"epochs": 7, "nesterov": True})
def toy_kd(student, teacher, *, temperature: Positive = 2, side: Literal["forward", "reverse"] = "forward"):
    """Distillation of the toys.

    temperature: softens both sides.
    """
    return 0
