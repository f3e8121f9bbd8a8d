"""The baselines that need no teacher, as a plugin package that uses the same door as everyone else."""
