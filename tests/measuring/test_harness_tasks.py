"""The built-in tasks of lm-eval: what they ask, judged by lm-eval's own code for the same task and by its own model."""

import json
import socket

import pytest

from kdbench import Refusal
from kdbench.registry import discover
from kdbench.stages import Place
from kdbench.stages.harness_task import ANSWERS, open_task, opened, run_opened
from kdbench.stages.questions import answers
from kdbench.stages.quiet import quiet
from kdbench.store import Store

from .made_language import folder, ours, theirs

PLUGINS = discover()
LOCAL = ("bbq", "blimp", "crows_pairs", "gsm8k", "hellaswag", "lambada", "piqa", "wikitext2_ppl", "winobias")
SHORT = {"gsm8k": {"most": 6, "examples": 1}}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = folder(tmp_path_factory.mktemp("data"))
    return Place(PLUGINS, Store(root / "store"), root)


def use(name, **params):
    return {"name": name, "params": {p.name: p.default for p in PLUGINS.get("harness", name).params} | params}


def task(place, name, limit=0, shots=0, **params):
    with quiet():
        return open_task(place, use(name, **{**SHORT.get(name, {}), **params}), limit, shots)


def plain(result, name):
    return {k: v for k, v in result["results"][name].items() if "," in k and "stderr" not in k}


def test_every_task_of_the_house_is_tested_here():
    assert {*LOCAL, "arc_style", "yaml_task", "lm_eval_task"} == set(PLUGINS.names("harness"))


@pytest.mark.parametrize("name", LOCAL)
def test_numbers_of_every_task_are_those_of_lm_evals_own_model(place, name):
    """Likelihoods, texts and every metric, to the last bit, with the same batches, against HFLM around the same network; the
    metrics that a file declares are those that lm-eval gives.
    """
    with quiet():
        mine, judge = (run_opened(model, task(place, name)) for model in (ours(), theirs()))
    assert plain(mine, name) == plain(judge, name)
    assert [s["resps"] for s in mine["samples"][name]] == [s["resps"] for s in judge["samples"][name]]
    facts = PLUGINS.get("harness", name).facts
    assert {key.removesuffix(",none") for key in plain(mine, name)} == set(facts["metrics"])
    assert set(facts.get("lower", ())) == {k for k, better in mine["higher_is_better"][name].items() if not better}
    assert facts.get("answer", "class") == ANSWERS[task(place, name, limit=1).form]


@pytest.mark.parametrize("name", LOCAL)
def test_nothing_is_fetched_and_nothing_is_said(place, name, monkeypatch, capfd):
    """lm-eval#1323 and others: a socket, a cache or a progress bar would be a surprise in a job."""

    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with quiet():
        run_opened(ours(), task(place, name, limit=2))
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_the_groups_that_a_file_declares_are_fields_of_its_documents(place):
    for name in LOCAL:
        one = task(place, name)
        assert set(one.about.groups) == set(PLUGINS.get("harness", name).facts.get("groups", ()))
        assert all(field in document for document in one.documents for field in one.about.groups)


def test_a_limit_keeps_every_kind_of_question(place):
    """The first documents of a file are all of one paradigm, category or condition; a limit of the file's order would ask only
    those (lm-eval's own limit does).
    """
    assert {d["uid"] for d in task(place, "blimp", limit=3).documents} == {"u0", "u1", "u2"}
    assert len({(d["category"], d["context_condition"]) for d in task(place, "bbq", limit=8).documents}) == 4
    assert {d["kind"] for d in task(place, "winobias", limit=4).documents} == {"1 pro", "1 anti", "2 pro", "2 anti"}
    assert len(open_task(place, use("blimp", limit=5), 7).documents) == 5  # the task's own limit comes first


def test_what_stands_before_a_choice_is_written_down(place):
    """lm-eval puts a space before every choice unless told otherwise; the stock task of BLiMP does so, and its accuracy moves."""
    bare, stock = task(place, "blimp"), task(place, "blimp", delimiter=" ")
    assert bare.arguments[0][0] == ("", bare.documents[0]["sentence_good"])
    assert stock.arguments[0][0] == ("", " " + bare.documents[0]["sentence_good"])
    assert (bare.settings()["target_delimiter"], stock.settings()["target_delimiter"]) == ("", " ")
    assert bare.settings()["prompts"] != stock.settings()["prompts"]


def test_examples_before_a_question_never_hold_its_answer(place):
    for name in ("piqa", "hellaswag", "winobias"):
        one = task(place, name, shots=3)
        assert one.settings()["shots"] == 3
        for document, asked in zip(one.documents, one.arguments, strict=True):
            context, ending = asked[document.get("gold", document.get("label"))]
            *examples, question = context.split("\n\n")
            assert len(examples) == 3
            assert question + ending not in examples
    assert task(place, "blimp", shots=3).settings()["shots"] == 0  # a bare sentence cannot have examples
    assert task(place, "wikitext2_ppl", shots=3).settings()["shots"] == 0


def test_the_same_examples_come_every_time(place):
    assert task(place, "piqa", shots=2).settings() == task(place, "piqa", shots=2).settings()
    assert "A" in task(place, "gsm8k", examples=2).arguments[0][0][0]


def test_winobias_knows_the_two_occupations_and_the_twin(place):
    one = task(place, "winobias")
    pro, anti = (next(d for d in one.documents if d["kind"] == kind) for kind in ("1 pro", "1 anti"))
    assert pro["choices"] == ["cook", "guard"]
    assert (pro["gold"], pro["pronoun"], anti["pronoun"]) == (0, "female", "male")
    assert pro["twins"] == anti["twins"]
    assert one.arguments[one.documents.index(pro)][0] == (f"{pro['sentence']} ‘She’ refers to the", " cook")


def test_bias_scores_of_bbq_against_lm_evals_own(place):
    """lm-eval's functions on the same items. Where no answer is for the stereotype lm-eval says 0 and the paper's formula -1."""
    judge = pytest.importorskip("lm_eval.tasks.bbq.utils")
    module = PLUGINS.load("harness", "bbq")[1]
    documents = task(place, "bbq").documents
    for seed in range(5):
        said = [[(0.0, False) if (i * 7 + seed) % 3 != j else (1.0, False) for j in range(3)] for i in range(len(documents))]
        items = [module._judged(d, s)["disamb_bias_score"] for d, s in zip(documents, said, strict=True)]
        assert module.bias(items) == pytest.approx(judge.agg_disamb_bias_scores(items))
        assert module.ambiguous_bias(items) == pytest.approx(judge.agg_amb_bias_scores(items))
    assert module.bias([(1.0, 0.0, 1.0, True)] * 3) == -1.0
    assert module.bias([(1.0, 0.0, 0.0, True)] * 3) == 0.0


@pytest.mark.data
def test_texts_are_cleaned_as_lm_eval_cleans_them(data_folder):
    """Every page of WikiText-2 and every text of HellaSwag, against lm-eval's own functions."""
    wikitext, hellaswag = (PLUGINS.load("harness", name)[1] for name in ("wikitext2_ppl", "hellaswag"))
    judge = pytest.importorskip("lm_eval.tasks.wikitext.preprocess_wikitext")
    other = pytest.importorskip("lm_eval.tasks.hellaswag.utils")
    found = list(wikitext.pages([row["line"] for row in wikitext.read(data_folder, "lm/wikitext2_valid_test/test.parquet")]))
    assert len(found) == 62
    assert [wikitext.plain(page) for page in found] == [judge.wikitext_detokenizer({"page": page}) for page in found]
    texts = [row[name] for row in hellaswag.read(data_folder, hellaswag.FILE) for name in ("context", *hellaswag.ENDINGS)]
    assert [hellaswag.cleaned(text) for text in texts] == [other.preprocess(text) for text in texts]


@pytest.mark.data
@pytest.mark.parametrize(("name", "count"), [("bbq", 11956), ("crows_pairs", 1508), ("gsm8k", 1319), ("hellaswag", 10042),
                                             ("lambada", 5153), ("piqa", 1838), ("winobias", 1584)])  # fmt: skip
def test_counts_of_the_real_files_are_those_of_the_papers(data_folder, tmp_path, name, count):
    with quiet():
        one = open_task(Place(PLUGINS, Store(tmp_path), data_folder), use(name), 0, 0)
    assert len(one.documents) == count
    choices, right = answers(one)
    if one.form == "multiple_choice" and one.about.right:
        assert (right >= 0).all()
    if name == "bbq":
        assert all(sum(d["biased"]) == 1 for d in one.documents)


ARC = {"id": "q1", "question": "which flies?", "choices": {"text": ["a hen", "a cow"], "label": ["A", "B"]}, "answerKey": "A"}
AI2 = {"question": {"stem": "which flies?", "choices": [{"text": "a hen", "label": "1"}, {"text": "a cow", "label": "2"}]}}


def test_questions_in_the_form_of_arc(place, tmp_path):
    file = tmp_path / "mine.jsonl"
    rows = [
        ARC,
        {**AI2, "answerKey": "2"},
        {**ARC, "choices": {"text": ["x", "y", "z"], "label": ["A", "B", "C"]}, "answerKey": "C"},
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    one = task(place, "arc_style", path=str(file))
    assert [d["gold"] for d in one.documents] == [0, 1, 2]
    assert one.arguments[0][1] == ("Question: which flies?\nAnswer:", " a cow")
    table = tmp_path / "mine.csv"
    table.write_text("question,A,B,C,answer,level\nwhich?,a hen,a cow,,B,easy\nwhat?,x,y,z,A,hard\n", encoding="utf-8")
    two = task(place, "arc_style", path=str(table), groups=["level"])
    assert [len(asked) for asked in two.arguments] == [2, 3]
    assert two.about.groups == ("level",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"question": "a?"}', "row 1: a question with at least two choices"),
        (json.dumps({**ARC, "answerKey": "E"}), r"the answer 'E' is none of its choices \(allowed: A, B\)"),
        ("[1]", "line 1 holds list"),
        ('{"question": ', "line 1 is not JSON"),
        ("", "has no rows"),
        (json.dumps({**ARC, "choices": {"text": ["a", None], "label": ["A", "B"]}}), "at least two choices"),
    ],
)
def test_a_file_that_is_not_in_the_form_is_refused_with_the_place(place, tmp_path, text, reason):
    file = tmp_path / "bad.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Refusal, match=reason) as error:
        task(place, "arc_style", path=str(file))
    assert "\n" not in str(error.value)


def test_odd_files_are_refused(place, tmp_path):
    (tmp_path / "latin.csv").write_bytes(b"question,A,B,answer\nna\xefve,a,b,A\n")
    (tmp_path / "ragged.csv").write_text("question,A,B,answer\nx,a,b\n", encoding="utf-8")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    for name, reason in (
        ("latin.csv", "not UTF-8"),
        ("ragged.csv", "has 3 cells"),
        ("torn.parquet", "torn.parquet: "),
        ("none.jsonl", "not a file"),
    ):
        with pytest.raises(Refusal, match=reason):
            task(place, "arc_style", path=str(tmp_path / name))
    with pytest.raises(Refusal, match="cannot read .txt"):
        task(place, "arc_style", path=str(tmp_path / "a.txt"))
    with pytest.raises(Refusal, match="give --data DIR"):
        open_task(Place(PLUGINS, place.store), use("piqa"))


YAML = """
task: mine
dataset_path: json
dataset_kwargs: {data_files: /nowhere.jsonl}
output_type: multiple_choice
validation_split: train
doc_to_text: "Q: {{q}}\\nA:"
doc_to_choice: "{{[yes, no]}}"
doc_to_target: 0
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: brier_score, higher_is_better: false}
"""


def written(tmp_path, text=YAML):
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    rows = [{"q": f"{i}?", "yes": "yes" * (1 + i % 2), "no": "no", "kind": "ab"[i % 2]} for i in range(6)]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return {"path": str(tmp_path / "mine.yaml"), "data": str(tmp_path / "mine.jsonl")}


def test_a_local_yaml_file_with_its_documents(place, tmp_path):
    with quiet():
        one = task(place, "yaml_task", groups=["kind"], **written(tmp_path))
        mine, judge = run_opened(ours(), one), run_opened(theirs(), one)
    assert one.arguments[1] == (("Q: 1?\nA:", " yesyes"), ("Q: 1?\nA:", " no"))
    assert plain(mine, "mine") == plain(judge, "mine")
    assert set(plain(mine, "mine")) == {"acc,none", "brier_score,none"}
    few = task(place, "yaml_task", shots=2, **written(tmp_path))
    assert few.arguments[0][0][0].count("Q:") == 3


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("process_results: !function utils.f", "!function utils.f' stands for code"),
        ("include: other.yaml", "the key 'include' is not read here"),
        ("use_prompt: promptsource:x", "the key 'use_prompt'"),
        ("description: \"{{ ''.__class__ }}\"", "description: a template with '__'"),
        ("metadata: &a {x: *a}", "anchors"),
        ("unsafe_code: true", "unsafe_code"),
        ("x: [", "not plain YAML"),
        ("repeats: !!python/object/apply:os.system [ls]", "stands for code"),
    ],
)
def test_a_yaml_file_brings_in_no_code(place, tmp_path, more, reason):
    with pytest.raises(Refusal, match=reason) as error:
        task(place, "yaml_task", **written(tmp_path, YAML + more + "\n"))
    assert "\n" not in str(error.value)


def test_a_template_that_the_documents_do_not_fit_is_refused(place, tmp_path):
    with pytest.raises(Refusal, match="lm-eval cannot open mine: UndefinedError"):
        task(place, "yaml_task", **written(tmp_path, YAML.replace("{{q}}", "{{question}}")))
    with pytest.raises(Refusal, match="mine: lm-eval has no metric 'accc'; did you mean 'acc'"):
        task(place, "yaml_task", **written(tmp_path, YAML.replace("metric: acc", "metric: accc")))
    with pytest.raises(Refusal, match="mine is of type multiple_choice: say answer: class, not next"):
        task(place, "yaml_task", answer="next", **written(tmp_path))
    with pytest.raises(Refusal, match="the keys task and output_type"):
        task(place, "yaml_task", **written(tmp_path, "task: mine\n"))


def test_a_task_of_lm_eval_is_found_by_name_and_refused_without_its_data(place, tmp_path, monkeypatch):
    """Its data are in no cache of this test, and nothing is downloaded; no index of all tasks is built."""
    import datasets
    from lm_eval.tasks import TaskManager

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr(TaskManager, "_load_spec", TaskManager._load_spec)
    with pytest.raises(Refusal, match="lm-eval cannot open arc_easy: its data are not on this machine") as error:
        task(place, "lm_eval_task", task="arc_easy")
    assert "\n" not in str(error.value)
    with pytest.raises(Refusal, match="mmlu is a group of tasks|lm-eval has no task"):
        task(place, "lm_eval_task", task="mmlu")
    with pytest.raises(Refusal, match="has no task 'arc_eazy'; did you mean 'arc_easy'"):
        task(place, "lm_eval_task", task="arc_eazy")
    with pytest.raises(Refusal, match="no task of lm-eval is named"):
        task(place, "lm_eval_task", task="../../etc/passwd")


def test_a_configuration_that_is_none_is_refused(place):
    for config, reason in (({"task": "x", "output_type": "sing", "custom_dataset": lambda **_: {}}, "lm-eval cannot open x"),):
        with pytest.raises(Refusal, match=reason), quiet():
            opened(config)
