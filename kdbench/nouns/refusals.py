"""The ways to say no: to bad input, and to a number that has no meaning here."""

from __future__ import annotations


class Refusal(Exception):
    """Bad input, found before work starts. The text is one line: what, where, what is allowed, the nearest right answer."""


class Undefined(Exception):
    """Raised by a metric: this number does not exist for this evidence. The text is the reason, one line."""


class NotApplicable(Exception):
    """Raised by a metric: the question makes no sense here (a selection rate without a positive class). The text says why."""


class Failed(Exception):
    """Raised by a metric: a check of this evidence failed, so it is no evidence for a number. The text says what and where."""
