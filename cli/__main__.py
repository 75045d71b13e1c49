"""`tocsin`, also as `python -m cli`: loads the commands and runs one."""

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the command line; what is interrupted while it still loads ends as quietly as later."""
    try:
        from cli.app import main as run  # noqa: PLC0415 - loading takes a second, in which Ctrl-C must be heard

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
