"""Two models with unlike vocabularies in `kdbench measure`: random rows hold only codes that both know."""

import re

import pytest

from kdbench.measure import inputs
from kdbench.measure.stages import rows
from kdbench.nouns import Refusal, Scenario


def takes(*levels, width=16):
    return {"tokens": {"dims": ["rows", width], "dtype": "int64", "levels": list(levels)}}


@pytest.mark.parametrize("sizes", [(90, 20), (20, 90)])
def test_random_codes_are_known_to_both_models(sizes):
    both = inputs.agreed({name: takes(size) for name, size in zip("ab", sizes, strict=True)})
    drawn = inputs.random_rows(both, inputs.sizes(both, {}, Scenario()), {}, 1)["tokens"]
    assert (drawn.min(), drawn.max()) == (0, 19)
    assert rows._unlike([{"inputs": takes(size)} for size in sizes], "tokens")
    assert not rows._unlike([{"inputs": takes(20)}, {"inputs": takes(20)}, {"inputs": takes()}], "tokens")


def test_a_model_that_says_nothing_of_its_codes_leaves_them_to_the_other():
    assert inputs.agreed({"graph": takes(), "network": takes(20)})["tokens"]["levels"] == [20]
    with pytest.raises(Refusal, match=re.escape("but of other columns of codes: they cannot be given the same rows")):
        inputs.agreed({"a": takes(3, 4), "b": takes(3)})
