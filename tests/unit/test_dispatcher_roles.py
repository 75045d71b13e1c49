"""Which roles a process runs by what it was asked for."""

import pytest

from services.dispatcher import app


@pytest.mark.parametrize(
    ("asked", "roles"),
    [
        pytest.param([], list(app.ROLES), id="none asked means all"),
        pytest.param(["fanout"], ["fanout"], id="one role"),
        pytest.param(["scripts"], ["scripts"], id="scripts"),
        pytest.param(["intake"], ["intake.urgent", "intake.routine", "intake.bulk"], id="a family"),
        pytest.param(["push.bulk", "push.urgent", "push.bulk"], ["push.urgent", "push.bulk"], id="each once"),
    ],
)
def test_roles_are_asked_for_by_name_or_family(asked: list[str], roles: list[str]) -> None:
    assert app.roles_named(asked) == roles


def test_an_unknown_role_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'intak'.*intake\.urgent"):
        app.roles_named(["intak"])
