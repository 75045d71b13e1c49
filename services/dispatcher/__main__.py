"""`python -m services.dispatcher [--only ROLE]…`: take in what was accepted, fan it out, deliver it."""

import argparse

from services.dispatcher import app
from services.dispatcher.settings import Settings
from shared.runtime import lifecycle, logs


def main() -> None:
    """Run the roles asked for, or all, until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m services.dispatcher", description=__doc__)
    parser.add_argument(
        "--only", action="append", default=[], metavar="ROLE",
        help=f"run these roles only (repeatable, comma separated; a family such as `intake` means all its lanes): "
        f"{', '.join(app.ROLES)}",
    )  # fmt: skip
    asked = [role for given in parser.parse_args().only for role in given.split(",")]
    try:
        roles = app.roles_named(asked)
    except ValueError as error:
        parser.error(str(error))
    settings = Settings()
    logs.configure("dispatcher", settings.log_level, settings.log_format)
    lifecycle.main(app.run(settings, roles))


if __name__ == "__main__":
    main()
