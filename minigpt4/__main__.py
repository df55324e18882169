"""`python -m minigpt4` and the console script `minigpt4`."""

import sys


def main() -> int:
    """Run the command line on `sys.argv` and return its exit code."""
    # Imported here so that another process started by this one (data loaders spawn) does not build the command line.
    from minigpt4.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
