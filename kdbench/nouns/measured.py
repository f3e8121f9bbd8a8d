"""How models are called when they are measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a model is called when it is measured: `batch` rows at a time, of `length` tokens (0: as the data are). decode: not for
    the rows, but for the next token of each, after `decode` tokens that a language model remembers (0: for the rows).
    """

    batch: int = 1
    length: int = 0
    decode: int = 0

    @property
    def name(self) -> str:
        """What rows of scores call it: "batch=32", "length=64", "batch*length=32 & 64", "decode=64"; "" for one row of full
        length.
        """
        given = {"batch": self.batch if self.batch != 1 else 0, "length": self.length, "decode": self.decode}
        said = {part: value for part, value in given.items() if value}
        return f"{'*'.join(said)}={' & '.join(map(str, said.values()))}" if said else ""


@dataclass(frozen=True, slots=True)
class Measure:
    """How times and memory are taken. One row of full length at a time is always measured; every combination with `batches`
    (rows a call) and `lengths` (tokens a row, where the data are tokens) comes beside it. decode: of language models, the next
    token after so many, from memory.

    pairs: block pairs of a comparison with the teacher; seconds: how long one comparison may take, so that slow models get
    fewer pairs. What is measured already stays, whatever is added.
    """

    batches: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    decode: tuple[int, ...] = ()
    pairs: int = 60
    seconds: float = 12.0

    def scenarios(self, kind: str, answer: str = "next") -> tuple[Scenario, ...]:
        """All of them for data of a kind and an answer, the single stream first."""
        batches = (1, *self.batches)
        lengths = (0, *self.lengths) if kind in ("tokens", "text", "") else (0,)
        whole = tuple(Scenario(batch, length) for length in lengths for batch in batches)
        if answer != "next":
            return whole
        return (*whole, *(Scenario(batch, 0, after) for after in self.decode for batch in batches))
