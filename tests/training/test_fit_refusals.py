"""What `fit` refuses, each in one clear line, and what it warns of."""

import numpy as np
import pytest
from fit_entries import fit_job, run, table

from kdbench import Refusal
from kdbench.nouns import Artefact, Job
from kdbench.stages import artefacts, fit

STUDENT = ("resnet_cifar", {"depth": 8, "width": 4})


def refused(where, job, inputs, text):
    with pytest.raises(Refusal, match=text) as caught:
        run(job, inputs, where, again=True)
    assert "\n" not in str(caught.value)


def test_refusals_are_one_clear_line(where, data, teacher, outputs, found):
    kd = fit_job({"kd": 1.0}, STUDENT)
    refused(where, kd, {"data": data}, "'kd' needs a teacher, and none was given")
    refused(where, fit_job({"ce": 1.0}), {"data": data}, "needs an artefact to go on from, or a model")
    refused(where, fit_job({"ce": 1.0}, STUDENT), {"data": data, "artefact": teacher}, "cannot also name a model")
    refused(
        where, fit_job({"ce": 1.0}, STUDENT, optimizer="sdg"), {"data": data}, "no optimizer 'sdg' .allowed: sgd, adam, adamw"
    )
    refused(where, fit_job({"ce": 1.0}, STUDENT, schedule="cosinus"), {"data": data}, "no schedule 'cosinus'")
    refused(where, fit_job({"ce": 1.0}, STUDENT, select="best_test"), {"data": data}, "no select 'best_test'")
    refused(where, fit_job({"ce": {"start": 0.5}}, STUDENT), {"data": data}, "no loss term is active at 0%")
    refused(
        where, fit_job({"fitnets": 1.0}, ("linear", {})), {"data": data, "outputs": outputs}, "model 'linear' declares no taps"
    )
    late = {"weight": 1.0, "params": {"hint": {"from": 0, "to": 3}}}
    refused(where, fit_job({"ce": 1.0, "fitnets": late}, STUDENT), {"data": data, "outputs": outputs}, "cannot be a schedule")
    other = table(where.store)
    refused(where, fit_job({"ce": 1.0}), {"data": other, "artefact": teacher}, "is for image .image 1x8x8. with 10 classes")


def test_a_teacher_with_other_labels_is_refused(where, data, teacher, found):
    """transformers#5196, #10203, #12822: MNLI models whose labels come in another order than the data's."""

    def relabelled(classes, shape_classes=10):
        before = artefacts.read(teacher, found)
        job = Job("fit", {"classes": list(classes)})
        with where.store.write(job) as draft:
            artefacts.write(
                draft, Artefact("torch", before.shape, before.model, before.module, (), {}, {"classes": list(classes)}), {}
            )
        return where.store.open(job.key)

    kd = fit_job({"kd": 1.0}, STUDENT)
    text = "labels are in another order: label 0 is '9' there, '0' in the data"
    refused(where, kd, {"data": data, "teacher": relabelled("9876543210")}, text)
    refused(where, kd, {"data": data, "teacher": relabelled("012345678x")}, "knows a class 'x' that the data do not have")
    refused(where, kd, {"data": data, "teacher": relabelled("01234")}, "tells 5 classes apart, the data have 10")


def test_a_teacher_below_chance_is_noted(where, data, outputs, found):
    """Planted: recorded logits whose classes are shifted by one, with nothing that says so (thermostat#10: 6 % were right)."""
    job = Job("outputs", {"planted": True})
    with where.store.write(job) as draft:
        y, ids = fit.samples.read(data, "train").y, np.asarray(outputs.array("ids.npy"))
        draft.array("ids.npy", ids)
        draft.array("logits.npy", np.eye(10, dtype=np.float32)[(y + 1) % 10])
        draft.json("outputs.json", {"taps": []})
    entry = run(fit_job({"kd": 1.0}, STUDENT, epochs=1), {"data": data, "outputs": where.store.open(job.key)}, where)
    assert "right on 0.0% of the training labels" in entry.json("record.json")["notes"][0]
