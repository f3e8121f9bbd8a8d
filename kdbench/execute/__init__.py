"""Runs the jobs of a plan, each in a process of its own, and keeps what they made."""

from kdbench.execute.records import Event, Outcome, Site
from kdbench.execute.run import execute

__all__ = ["Event", "Outcome", "Site", "execute"]
