"""From a suite file to a `Suite`: validated, complete, and refused with a line and a reason where it is wrong."""

from kdbench.suite.editor import schema
from kdbench.suite.loading import load
from kdbench.suite.resolved import resolve

__all__ = ["load", "resolve", "schema"]
