"""The target on the page: what docs/targets.md shows runs as it stands, and is checked against eager like the others."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "targets.md"
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def page(tmp_path):
    """The files of the page, written where it says."""
    for info, body in FENCED.findall(PAGE.read_text(encoding="utf-8")):
        if "file=" in info:
            path = tmp_path / info.partition("file=")[2]
            path.parent.mkdir(parents=True)
            path.write_text(body, encoding="utf-8")
        elif info == "yaml":
            (tmp_path / "suite.yaml").write_text(body, encoding="utf-8")
    return tmp_path


def test_the_target_on_the_page_is_measured_and_checked_by_a_run(page, kdbench):
    code, out, err = kdbench("run", "suite.yaml", plugins=(page / "my_plugins",))
    assert (code, err) == (0, ""), out
    scores = pd.read_parquet(page / "reports/numpy/scores.parquet")
    kd = scores[(scores["contender"] == "kd") & (scores["slice"] == "") & scores["split"].isin(["test", ""])]
    mine, eager = (dict(rows[["metric", "value"]].to_numpy()) for _, rows in kd.groupby("target"))
    assert list(kd.groupby("target").groups) == ["numpy_mlp", "torch_cpu"]
    assert mine["accuracy"] == eager["accuracy"]
    assert mine["export_flips"] == 0
    assert mine["export_max_difference"] < 1e-4
    assert mine["latency"] > 0
    told = [json.loads(p.read_text()) for p in page.glob(".kdbench/store/*/*/predictions.json")]
    assert any(one["target"]["facts"].get("provider") == "BLAS" for one in told)


def test_a_broken_target_of_ones_own_is_named_by_the_module_that_is_wrong(page, plugins):
    """The file of the page, with ReLU wrong: the first one is where it begins."""
    from kdbench.nouns import Artefact, Shape, Use
    from kdbench.registry import discover
    from kdbench.stages import networks, parity

    path = page / "my_plugins/targets/numpy_mlp.py"
    path.write_text(path.read_text(encoding="utf-8").replace("np.maximum(value, 0)", "np.abs(value)"), encoding="utf-8")
    shape, use = Shape("image", {"image": (1, 8, 8)}, 3), Use("mlp", {"width": 16})
    artefact = Artefact("torch", shape, use, networks.rebuild(plugins, use, shape, seed=0).eval())
    x = {"image": np.random.default_rng(0).standard_normal((20, 1, 8, 8)).astype(np.float32)}
    runner = discover([page / "my_plugins"]).load("target", "numpy_mlp")[0](artefact, x)
    found = parity.check(artefact.module, runner, x, runner.predict(x), np.arange(20).astype(str))
    assert found["first_divergence"]["module"] == "body.hidden.0.1"
