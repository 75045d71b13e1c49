"""How long the supervisor waits before it starts a part again."""

from deploy.local import watch


def test_the_wait_doubles_with_each_death_in_a_row_up_to_a_quarter_of_a_minute() -> None:
    assert [watch.wait_seconds(deaths) for deaths in (1, 2, 3, 7, 50)] == [0.5, 1.0, 2.0, 15.0, 15.0]
