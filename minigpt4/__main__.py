"""`python -m minigpt4` and the console script `minigpt4`."""

import sys
from io import TextIOWrapper

from minigpt4.launcher import begin_worker


def main() -> int:
    """Run the command line on `sys.argv` and return its exit code."""
    begin_worker()
    # Imported here so that another process started by this one (data loaders spawn) does not build the command line.
    from minigpt4.cli import run

    # Names of files and what is typed need not be text of the terminal's encoding.
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors=errors)
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
