"""`python -m services.console`: read the settings, set up the logs, run."""

from services.console import app
from services.console.settings import Settings
from shared.runtime import lifecycle, logs


def main() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = Settings()
    logs.configure("console", settings.log_level, settings.log_format)
    lifecycle.main(app.run(settings))


if __name__ == "__main__":
    main()
