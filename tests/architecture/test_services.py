"""Every service is made alike: the same files, settings that explain themselves."""

from collections.abc import Iterator

import pytest
from pydantic_settings import BaseSettings

from deploy.reference import settings as reference
from tests.support import repository

SERVICES = ("console", "digest", "dispatcher", "inbox", "ingest", "retention", "scheduler")
SHELL = frozenset({"__init__", "__main__", "app", "metrics", "settings"})
ENTRYPOINT_LINES = 40


def fragments() -> Iterator[tuple[str, type[BaseSettings]]]:
    for service, settings in reference.service_settings().items():
        for fragment in settings.mro():
            if issubclass(fragment, BaseSettings):
                yield service, fragment


EVERY_SETTING = sorted(
    {(fragment.__name__, each) for _, fragment in fragments() for each in reference.settings_of(fragment)},
    key=lambda entry: (entry[0], entry[1].name),
)


def test_the_services_are_those_of_the_design() -> None:
    folders = [path for path in (repository.ROOT / "services").iterdir() if (path / "__init__.py").is_file()]
    assert sorted(folder.name for folder in folders) == list(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_files_every_service_has(service: str) -> None:
    folder = repository.ROOT / "services" / service
    names = {path.stem for path in folder.glob("*.py")}
    assert sorted(SHELL - names) == []
    assert [path for path in folder.iterdir() if path.stem.split("_")[0] == "store"], "its SQL stands in no store"


@pytest.mark.parametrize("service", SERVICES)
def test_an_entrypoint_fits_on_one_screen(service: str) -> None:
    entrypoint = repository.ROOT / "services" / service / "__main__.py"
    assert len(entrypoint.read_text().splitlines()) <= ENTRYPOINT_LINES


@pytest.mark.parametrize(("fragment", "setting"), EVERY_SETTING, ids=lambda value: getattr(value, "name", value))
def test_a_setting_says_in_a_sentence_what_it_is_and_in_its_name_which_unit(
    fragment: str, setting: reference.Setting
) -> None:
    assert fragment
    assert setting.description.endswith("."), "describe the setting in one sentence"
    is_fraction = setting.default.strip("`").replace(".", "", 1).isdigit() and "." in setting.default
    assert not (is_fraction and setting.unit == "count"), (
        "a number with a fraction is a duration or ratio: name its unit"
    )
