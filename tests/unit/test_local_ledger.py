"""Which processes of an earlier run are really ours."""

from deploy.local.ledger import Entry, leftovers

KAFKA = Entry("kafka", 41, "boot:1000")
INGEST = Entry("ingest", 42, "boot:2000")


def test_a_process_that_still_runs_is_ours() -> None:
    assert leftovers([KAFKA, INGEST], {41: "boot:1000", 42: "boot:2000"}.get) == [KAFKA, INGEST]


def test_a_process_that_is_gone_is_left_alone() -> None:
    assert leftovers([KAFKA, INGEST], {42: "boot:2000"}.get) == [INGEST]


def test_a_stranger_with_the_pid_of_ours_is_left_alone() -> None:
    assert leftovers([KAFKA], {41: "boot:999999"}.get) == []


def test_a_process_of_before_the_reboot_is_not_the_one_that_has_its_pid_now() -> None:
    assert leftovers([KAFKA], {41: "otherboot:1000"}.get) == []
