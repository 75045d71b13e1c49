"""`python -m services.digest`: read the settings, set up the logs, run."""

from services.digest import app
from services.digest.settings import Settings
from shared.runtime import lifecycle, logs


def main() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = Settings()
    logs.configure("digest", settings.log_level, settings.log_format)
    lifecycle.main(app.run(settings))


if __name__ == "__main__":
    main()
