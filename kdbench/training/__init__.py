"""The training loop and its parts. It knows networks, batches and loss terms; it knows no store and no job."""
