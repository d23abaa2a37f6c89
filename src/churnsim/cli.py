"""The command line: a thin layer over the Python surface. Result on stdout, progress and notes on stderr.

Commands import what they need when they run, so that ``churnsim --help`` loads nothing but click.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from churnsim.commands import calibrate, centre, data, files, gate, offers, portrait, power, run, staff
from churnsim.console import note
from churnsim.errors import ChurnsimError

FAILED = 3
USAGE = 2
INTERRUPTED = 130


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line (default: this process's) and return its exit code.

    0 done, same or equivalent; 1 a gated value changed or a goal is out of reach; 2 bad usage or configuration, nothing
    was run; 3 a run failed; 4 not comparable or inconclusive; 130 interrupted.
    """
    given = list(sys.argv[1:] if args is None else args)
    wants_traceback = given[:1] == ["--traceback"]
    try:
        with group.make_context("churnsim", given) as context:
            code: int | None = group.invoke(context)
            return code or 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except Exception as error:
        if wants_traceback:
            import traceback

            traceback.print_exc()
        if isinstance(error, ChurnsimError):
            note(str(error))
            return error.exit_code
        note(f"churnsim: internal error: {type(error).__name__}: {error}")
        if not wants_traceback:
            note("churnsim --traceback ... shows where")
        return FAILED


@click.group(name="churnsim", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="churnsim")
@click.option("--traceback", is_flag=True, expose_value=False, help="Show where an error was raised.")
def group() -> None:
    """Simulate subscribers, retention offers and a contact centre: who should be offered what.

    EXP is an experiment file (YAML). `churnsim new NAME` writes one to start from.
    """


for command in (run.run, gate.check, gate.accept, run.compare, run.report, files.new, files.validate, files.schema,
                data.simulate, centre.capacity, staff.staff, calibrate.calibrate, portrait.portrait, offers.offers,
                power.power):
    group.add_command(command)

if __name__ == "__main__":
    sys.exit(main())
