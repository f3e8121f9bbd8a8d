"""One model, or two beside each other, measured as a run measures its contenders: the same targets, jobs, metrics and intervals.

Importing this loads no numerical library; nothing is measured in the process that asks.
"""
