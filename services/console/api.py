"""The console's HTTP API: every resource in one application."""

from dataclasses import dataclass

from fastapi import FastAPI

from services.console.metrics import Metrics
from services.console.routes.bodies import Bodies
from services.console.routes.classes import Classes
from services.console.routes.dead_letters import DeadLetters
from services.console.routes.directory_import import IMPORT_PATH, MAX_IMPORT_BYTES, DirectoryImport
from services.console.routes.endpoints import Endpoints
from services.console.routes.groups import Groups
from services.console.routes.importances import Importances
from services.console.routes.jobs import Jobs
from services.console.routes.keys import Keys
from services.console.routes.mail import MAX_REPORT_BYTES, REPORTS_PATH, Mail
from services.console.routes.persons import Persons
from services.console.routes.preferences import Preferences
from services.console.routes.properties import Properties
from services.console.routes.sam import Sam
from services.console.routes.schedules import Schedules
from services.console.routes.suppressions import Suppressions
from services.console.routes.tags import Tags
from services.console.routes.templates import Templates
from services.console.routes.traces import Traces
from services.console.routes.users import Users
from shared.contract.requests import MAX_BODY_BYTES
from shared.destinations import Policy
from shared.postgres import uploads
from shared.postgres.api_keys import ApiKeys
from shared.postgres.pool import Pool
from shared.runtime import api_document, authority, problems
from shared.runtime.body_limit import BodyLimit
from shared.runtime.large_bodies import ROOM_BYTES, LargeBodies, Room
from shared.runtime.secret_file import SecretFile


@dataclass(frozen=True, slots=True)
class Parts:
    """What the resources need."""

    pool: Pool
    secret: SecretFile
    policy: Policy
    metrics: Metrics


def build(parts: Parts) -> FastAPI:
    """The application; its OpenAPI document is at /v1/openapi.json."""
    large = LargeBodies(Room(ROOM_BYTES))
    api = FastAPI(
        title="Tocsin console", version="1", openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    problems.install(api)
    authority.install(api, ApiKeys(parts.pool, parts.secret).opened_by)
    for resource in (
        Persons(parts.pool),  # before users, whose ids may have slashes
        Users(parts.pool),
        Groups(parts.pool),
        DirectoryImport(parts.pool, parts.metrics, large),
        Endpoints(parts.pool, parts.policy),
        Keys(parts.pool, parts.secret),
        Classes(parts.pool),
        Importances(parts.pool),
        Properties(parts.pool),
        Templates(parts.pool),
        Sam(parts.pool, parts.secret),
        Mail(parts.pool, large),
        Suppressions(parts.pool),
        Preferences(parts.pool),
        Schedules(parts.pool),
        Tags(parts.pool),
        Jobs(),
        Traces(parts.pool),
        DeadLetters(parts.pool, parts.metrics),
        Bodies(parts.pool, large),
    ):
        api.include_router(resource.routes())
    api_document.install(api)
    api.add_middleware(
        BodyLimit,
        most_bytes=MAX_BODY_BYTES,
        paths={
            IMPORT_PATH: MAX_IMPORT_BYTES,
            REPORTS_PATH: MAX_REPORT_BYTES,
            uploads.PATH: uploads.MAX_BYTES,
        },
    )
    return api
