"""Writes more than a small disk holds."""


def run(job, inputs, draft, place):
    draft.write("big.bin", bytes(1 << 20))
