"""The services the supervisor can run, in the order they start: workers first, doors last, stopped in reverse."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """One service: `python -m services.<name>`; `serves_http` when it has an API besides its operations port."""

    name: str
    serves_http: bool = False

    @property
    def role(self) -> str:
        """The database role it logs in as."""
        return f"tocsin_{self.name}"


SERVICES = (
    Service("retention"),
    Service("scheduler"),
    Service("digest"),
    Service("dispatcher"),
    Service("console", serves_http=True),
    Service("inbox", serves_http=True),
    Service("ingest", serves_http=True),
)
