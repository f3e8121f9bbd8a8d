"""The command line: one file a command, imported when it is used.

Each file has `add(subparsers) -> None`, which adds its parser, and `run(args) -> int`, which gives the exit code.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from kdbench import Refusal, __version__
from kdbench.cli.terminal import clean

COMMANDS: Mapping[str, str] = {
    "run": "make what is missing, judge it, write the report",
    "plan": "what is done, what is to do, and why; runs nothing",
    "report": "write the report again from what is stored",
    "judge": "score prediction files made anywhere",
    "predictions": "write the stored predictions as files",
    "export": "write a run's timings for other tools",
    "measure": "measure one model, alone or against another",
    "list": "the plugins that a suite can name",
    "show": "one plugin: its docs, parameters and facts",
    "init": "write a starter suite or a starter plugin",
    "validate": "check a suite file without running it",
    "schema": "the JSON Schema of a suite, for editors",
    "doctor": "what this machine can run",
}
"""Every command and its line in the help. A literal, so that the help imports none of them."""

CODES = """exit codes:
    0  complete, and every gate passed
    1  complete, but a gate failed
    2  refused: the input is wrong; nothing was run
    3  partial: some rows failed, and the report says why
   70  kdbench itself failed (--debug shows where)
  130  interrupted; the same command goes on where it was
"""

COMPLETE, REFUSED, FAILED, INTERRUPTED, PIPE_CLOSED = 0, 2, 70, 130, 141


class Parser(argparse.ArgumentParser):
    """argparse that refuses like the rest of kdbench, and takes no abbreviated options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter, **settings})

    def error(self, message: str) -> Any:
        """Raise Refusal, where argparse would print the usage and exit."""
        command = self.prog.removeprefix("kdbench").strip()
        raise Refusal(f"{command}: {message}" if command else message)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. argv without the program's name; gives the exit code (see `kdbench --help`)."""
    given = [*(sys.argv[1:] if argv is None else argv)]  # no list(): here that name may be the module of `kdbench list`
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _command(given)
        sys.stdout.flush()
    except SystemExit as stop:  # argparse ends --help and --version so
        code = int(stop.code or COMPLETE)
    except KeyboardInterrupt:
        code = _complain("interrupted; the same command goes on where it was", INTERRUPTED, given)
    except BrokenPipeError:
        with contextlib.suppress(OSError):  # whoever read us has gone; nothing is left to say, not even at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = PIPE_CLOSED
    except Refusal as refusal:
        code = _complain(str(refusal), REFUSED, given)
    except OSError as error:
        code = _complain(str(error), FAILED, given)
    except Exception as error:  # a bug of ours: one line for the user, the rest for --debug
        code = _complain(f"{type(error).__name__}: {error} (--debug shows where)", FAILED, given)
    return code


def _command(given: Sequence[str]) -> int:
    parser = Parser(prog="kdbench", description="The referee for small models.", epilog=CODES)
    parser.add_argument("--version", action="version", version=f"kdbench {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    chosen = next((word for word in given if not word.startswith("-")), "")
    if chosen and chosen not in COMMANDS:
        raise Refusal(f"no command {chosen!r}{_nearest(chosen, [*COMMANDS])}")
    for name, line in COMMANDS.items():
        if name != chosen:
            commands.add_parser(name, help=line)
    module = importlib.import_module(f"kdbench.cli.{chosen}") if chosen else None
    if module is not None:
        module.add(commands)
        commands.choices[chosen].add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    args, unknown = parser.parse_known_args(given)
    if unknown:
        options = sorted(set(re.findall(r"--[a-z][a-z-]*", (commands.choices[chosen] if chosen else parser).format_help())))
        raise Refusal(
            f"{chosen}: unknown argument {unknown[0]!r}{_nearest(unknown[0].split('=')[0], options)}".removeprefix(": ")
        )
    if module is None:
        print(parser.format_help(), end="", file=sys.stderr)
        return REFUSED
    return int(module.run(args))


def _nearest(name: str, allowed: Sequence[str]) -> str:
    from kdbench.registry import nearest  # noqa: PLC0415 - the help and a good command line do without it

    return nearest(name, allowed)


def _complain(text: str, code: int, given: Sequence[str]) -> int:
    if "--debug" in given:
        traceback.print_exc()
    for line in text.splitlines() or [""]:
        print(f"kdbench: {clean(line)}", file=sys.stderr)
    return code
