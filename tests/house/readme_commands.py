"""Runs the commands of Markdown files, so that they stay true.

A fenced block that opens with "console run" is run: its lines that begin with "$ ", in order, one folder for a whole file, with
the `bin` folder of this interpreter first on the path. A block that opens with "<language> file=NAME" is written to NAME first.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

BLOCK = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(text: str) -> Iterator[tuple[str, str]]:
    """("file NAME", content) and ("run", command) in the order of the page."""
    for block in BLOCK.finditer(text):
        _, _, note = block["info"].strip().partition(" ")
        if note.startswith("file="):
            yield f"file {note.removeprefix('file=')}", block["body"]
        elif note == "run":
            for line in block["body"].splitlines():
                if line.startswith("$ "):
                    yield "run", line.removeprefix("$ ")


def main(pages: list[str]) -> int:
    """Run each page in its own folder; 1 if any command fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for page in pages:
        with tempfile.TemporaryDirectory() as folder:
            for kind, content in steps(Path(page).read_text(encoding="utf-8")):
                if kind != "run":
                    target = Path(folder, kind.removeprefix("file "))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(content, encoding="utf-8")
                    continue
                start = time.monotonic()
                print(f"$ {content}", flush=True)
                code = subprocess.run(
                    ["bash", "-ec", content], cwd=folder, env={**os.environ, "PATH": path}, check=False
                ).returncode
                print(f"  [{page}: exit {code}, {time.monotonic() - start:.1f} s]", flush=True)
                if code:
                    return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
