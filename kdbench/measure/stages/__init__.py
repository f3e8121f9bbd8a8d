"""The jobs of a measurement, one file each, as those of a run: `run(job, inputs, draft, place)` reads entries and writes one."""
