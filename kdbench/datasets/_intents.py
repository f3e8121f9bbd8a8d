"""Messages and their intents as a collection: texts of one intent are to be found by each other."""

from __future__ import annotations

from dataclasses import replace

from kdbench import Samples


def to_retrieve(samples: Samples) -> Samples:
    """The same texts, labels and splits, of which a vector is asked instead of a class."""
    note = "each test text asks for the other test texts of its class: nothing is looked up in train"
    return replace(samples, answer="vector", notes=(*samples.notes, note))
