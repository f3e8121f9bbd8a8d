"""A resolved suite says everything and loads to an equal suite; and any text at all ends in a suite or a Refusal."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from toysuite import GOOD, TOYS

from kdbench.nouns import Refusal, canonical
from kdbench.registry import discover
from kdbench.suite import load, resolve
from kdbench.suite.resolved import _text

PLUGINS = discover([TOYS])
INSIDE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

numbers = st.floats(-1e6, 1e6) | st.integers(-9, 9)
positive = st.floats(1e-6, 1e6)
words = st.text("abcxyz019 .:-_+#'\"{}[],&*!|>%@`~\\/=?éß模\n", max_size=12) | st.sampled_from(
    [
        "yes",
        "no",
        "null",
        "~",
        "1e3",
        "010",
        "0x1f",
        "1:30",
        "2026-01-01",
        "1_0",
        "true",
        ".nan",
        "<<",
        "- a",
        "a: b",
        "#",
        "y",
        "=",
        "",
    ]
)


def optional(**values):
    return st.fixed_dictionaries({}, optional=values)


def schedules(low):
    return st.builds(
        lambda a, b, shape: {"from": a, "to": b, "shape": shape, "stop": 0.5}, low, low, st.sampled_from(["linear", "cosine"])
    )


terms = st.dictionaries(st.just("toy_ce"), numbers, max_size=1).flatmap(
    lambda ce: st.builds(
        lambda kd, hint: {**ce, **({"toy_kd": kd} if kd is not None else {}), "toy_hint": hint},
        st.none()
        | optional(
            weight=numbers | schedules(numbers),
            temperature=positive | schedules(positive),
            side=st.sampled_from(["forward", "reverse"]),
        ),
        optional(
            power=numbers,
            layers=st.integers(1, 9),
            margin=st.none() | positive,
            alpha=st.floats(0, 1),
            start=st.just(0.25),
            stop=st.floats(0.5, 1),
        ),
    )
)
trains = optional(
    epochs=st.integers(1, 99),
    lr=positive,
    optimizer=st.sampled_from(["sgd", "adam"]),
    clip=st.none() | positive,
    momentum=st.floats(0, 1),
    views=st.lists(st.sampled_from(["toy_flip", {"toy_flip": {"share": 0.1}}]), unique_by=str, max_size=2),
).map(lambda settings: {**settings, "nesterov": False})  # a published recipe may ask for it, and adam has none
models = st.one_of(
    st.just("toy_net"),
    optional(depth=st.integers(1, 50), act=st.sampled_from(["relu", "gelu"]), scale=numbers).map(
        lambda p: {"model": "toy_net", **p}
    ),
    optional(
        widths=st.lists(st.integers(-5, 5), max_size=3),
        dropout=st.floats(0, 1),
        ends=st.tuples(numbers, numbers).map(list),
        label=words,
        names=st.lists(words, max_size=3),
        rate=st.none() | numbers,
        extra=st.none() | st.dictionaries(words.filter(lambda w: "\n" not in w), words | numbers, max_size=2),
    ).map(lambda p: {"toy_mlp": p}),
)
fits = st.builds(
    lambda f, t, m: {"fit": f, "train": t, **({"model": m} if m else {})},
    terms | st.sampled_from(["toy_kd", "toy_hint"]),
    trains,
    st.none() | models,
)
rest = st.lists(
    st.sampled_from([{"compress": {"toy_prune": {"sparsity": 0.5}}}, {"fit": "toy_scratch", "train": {"nesterov": False}}]),
    max_size=2,
)
contenders = st.one_of(
    st.builds(lambda first, then: [first, *then], fits, rest),
    st.just([{"start": "teacher"}, {"compress": "toy_int8"}]),
    st.just([{"load": "."}]),
)
names = st.from_regex(r"[a-z0-9][a-z0-9+ ._-]{0,8}[a-z0-9+]", fullmatch=True).filter(
    lambda n: n not in {"teacher", "con", "nul", "aux", "prn"}
)
tasks = st.fixed_dictionaries(
    {
        "data": st.builds(
            lambda shifts, more: {"dataset": "toy_digits", "shifts": shifts, **more},
            st.lists(
                st.sampled_from(["toy_noise", {"toy_blur": {"severities": [5, 1]}}, {"toy_noise": {"sigma": 3}}]), unique_by=str
            ),
            optional(
                noisy=st.booleans(),
                limit=optional(train=st.integers(1, 99)),
                validation=st.floats(0, 0.9),
                ood=st.just(["toy_letters"]),
                groups=st.just(["ink"]),
            ),
        ),
        "teacher": st.sampled_from([{"load": "."}, {"model": "toy_net", "depth": 32, "fit": "toy_scratch"}]),
        "student": models,
        "contenders": st.dictionaries(names, contenders, min_size=1, max_size=3),
    },
    optional={"train": trains},
)
axes = st.lists(st.sampled_from(["toy_ece", "toy_latency", {"toy_ece": {"bins": 3}}]), unique_by=str)
suites = st.fixed_dictionaries(
    {
        "suite": names,
        "tasks": st.dictionaries(names, tasks, min_size=1, max_size=2),
        "targets": st.just([{"toy_ort": {"threads": 2}}, "toy_cpu"]),
        "axes": axes.map(lambda others: ["toy_accuracy", *others]),
    },
    optional={
        "seeds": st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4, unique=True),
        "gates": st.just([{"metric": "toy_accuracy", "at_least": 0.5}]) | st.just([]),
        "train": trains,
        "resamples": st.integers(1, 10**6),
    },
)


def written(suite) -> str:
    """Any plain values as YAML, by the project's own writer of text and JSON."""
    if isinstance(suite, dict):
        return "{" + ", ".join(f"{written(k)}: {written(v)}" for k, v in suite.items()) + "}"
    if isinstance(suite, list):
        return "[" + ", ".join(map(written, suite)) + "]"
    if isinstance(suite, str):
        return _text(suite)
    return {None: "null", True: "true", False: "false"}[suite] if suite is None or isinstance(suite, bool) else repr(suite)


@INSIDE
@given(suite=suites)
def test_a_resolved_suite_loads_to_an_equal_suite(suite, tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(written(suite), encoding="utf-8")
    loaded = load(first, PLUGINS)
    second.write_text(resolve(loaded), encoding="utf-8")
    again = load(second, PLUGINS)
    assert again == loaded
    assert canonical(again) == canonical(loaded)
    assert resolve(again) == resolve(loaded)


def test_a_resolved_suite_names_every_default(read):
    text = resolve(read(GOOD))
    body = YAML(typ="safe", pure=True).load(text)
    fit = body["tasks"]["toy_digits"]["contenders"]["kd"][0]
    assert fit["fit"] == {"toy_kd": {"weight": 1.0, "start": 0.0, "stop": 1.0, "temperature": 4.0, "side": "forward"}}
    assert fit["train"]["weight_decay"] == 0.0005
    assert body["resamples"] == 1000
    assert body["axes"] == [{"toy_accuracy": {}}, {"toy_ece": {"bins": 15, "scheme": "width"}}]


@INSIDE
@given(text=words)
def test_another_yaml_reader_reads_the_same_text(text):
    assert YAML(typ="safe", pure=True).load(f"key: {_text(text)}\n") == {"key": text}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, len(GOOD)),
    junk=st.text(max_size=6) | st.text("[]{}:,-&*!|>'\"%@`? \n#.0189eE~<x", max_size=12),
    drop=st.integers(0, 6),
)
def test_any_damage_ends_in_a_suite_or_a_refusal(cut, junk, drop, tmp_path):
    path = tmp_path / "suite.yaml"
    path.write_bytes((GOOD[:cut] + junk + GOOD[cut + drop :]).encode("utf-8", "surrogatepass"))
    said = ""
    try:
        load(path, PLUGINS)
    except Refusal as refusal:
        said = str(refusal)
    assert said.replace("\n", "").isprintable()
    assert all(line.startswith((f"{path}:", "...")) for line in said.splitlines())


@pytest.mark.parametrize("suite", sorted(Path(__file__).parents[2].glob("suites/*.yaml")), ids=lambda p: p.stem)
def test_the_suites_of_the_repository_resolve_to_themselves(suite, tmp_path):
    plugins = discover()
    loaded = load(suite, plugins)
    (tmp_path / "again.yaml").write_text(resolve(loaded), encoding="utf-8")
    assert load(tmp_path / "again.yaml", plugins) == loaded
