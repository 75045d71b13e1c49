"""`python -m services.ingest`: read the settings, set up the logs, run."""

from services.ingest import app
from services.ingest.settings import Settings
from shared.runtime import lifecycle, logs


def main() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = Settings()
    logs.configure("ingest", settings.log_level, settings.log_format)
    lifecycle.main(app.run(settings))


if __name__ == "__main__":
    main()
