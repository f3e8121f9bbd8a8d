"""A good job: its number plus the numbers of its inputs."""


def run(job, inputs, draft, place):
    import time

    if job.spec.get("log"):
        with open(job.spec["log"], "a", encoding="utf-8") as log:
            log.write(f"{job.label}\n")
    time.sleep(job.spec.get("sleep", 0))
    value = job.spec["n"] + sum(entry.json("value.json")["value"] for entry in inputs.values())
    draft.json("value.json", {"value": value})
    draft.write("bytes.bin", bytes(range(256)) * 4)
