"""Tokens that a tokenizer does not know, in tasks of lm-eval: counted in the texts themselves, while lm-eval's numbers stay."""

import numpy as np
import pandas as pd
import pytest

from kdbench import Undefined
from kdbench.judge.ask import open_metric
from kdbench.registry import discover
from kdbench.stages import networks
from kdbench.stages.harness_task import open_task, run_opened
from kdbench.stages.quiet import quiet

from . import made_language
from .made_language import LETTERS
from .test_harness_stages import MODEL, SHAPE, World, predictions

PLUGINS = discover()
MARK = "\u00e9"  # no letter of the made language


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """The data folder of the made language, in which the text of every third article has two characters that are no letters."""
    world = World(tmp_path_factory.mktemp("unknown"))
    path = world.place.data / "lm/wikitext2_valid_test/test.parquet"
    lines = [" = = ", *(line for i in range(6) for line in (f" = a{i} = ", f" a cat{MARK * 2 * (i % 3 == 0)} sat . "))]
    pd.DataFrame({"line": [line.replace(" = = ", " ") for line in lines]}).to_parquet(path)
    return world


def named(name, of, **params):
    metric = open_metric(PLUGINS, name, {p.name: p.default for p in PLUGINS.get("metric", name).params} | params)
    return metric({"predictions": of}), metric


def asked(world, name):
    data = world.questions(name)
    return predictions(data, world.asked(name, data, world.model()))


def test_unknown_tokens_of_a_task_are_counted_as_in_the_text_itself(strange):
    of = asked(strange, "wikitext2_ppl")
    texts = [one[0][-1] for one in open_task(strange.place, strange.use("wikitext2_ppl")).arguments]
    by_hand = [sum(letter not in LETTERS for letter in text) for text in texts]
    assert sum(by_hand) > sum(text.count(MARK) for text in texts) > 0  # the signs around a title are unknown, too
    np.testing.assert_array_equal(of.columns["unknown"], by_hand)
    with pytest.raises(Undefined, match=f"{sum(by_hand)} tokens are unknown to this tokenizer"):
        named("bits_per_byte", of)


def test_lm_evals_own_number_stays_and_a_remark_stands_beside_it(strange, monkeypatch):
    """The judge: lm-eval's own model around the same network."""
    of = asked(strange, "wikitext2_ppl")
    same = networks.rebuild(strange.place.plugins, MODEL, SHAPE)
    monkeypatch.setattr(made_language, "net", lambda seed: same)
    with quiet():
        task = open_task(strange.place, strange.use("wikitext2_ppl"))
        judge = run_opened(made_language.theirs(batch=32), task)["results"]["wikitext2_ppl"]
    found, metric = named("lm_eval_lower", of, metric="bits_per_byte")
    assert found == judge["bits_per_byte,none"]
    assert metric.say("note", {"predictions": of}).startswith(f"{int(of.columns['unknown'].sum())} tokens are unknown")


def test_where_every_token_is_known_there_is_no_remark(strange):
    of = asked(strange, "lambada")
    assert of.columns["unknown"].sum() == 0
    found, metric = named("lm_eval_lower", of, metric="perplexity")
    assert metric.say("note", {"predictions": of}) == ""
    assert found > 1
    assert named("bits_per_byte", of)[0].shape == (len(of.ids), 2)
