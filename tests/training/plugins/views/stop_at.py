"""A view that breaks a run in the middle, as a kill would."""

from kdbench import Batch, view

BREAK = {"at": None}
SEEN = []


@view(recorded=True)
def stop_at(batch: Batch) -> Batch:
    """Note the examples of the batch; stop when told to."""
    SEEN.append(batch.index.tolist())
    if BREAK["at"] == len(SEEN):
        raise KeyboardInterrupt
    return batch
