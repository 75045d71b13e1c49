"""What is committed runs anywhere: no path of one machine, no address that an installer should be told by its own."""

import re

from tests.support import repository

# In pieces, since this file is a tracked file too.
_REGISTRIES = [
    ("pypi", "org"), ("pythonhosted", "org"), ("registry.npmjs", "org"), ("proxy.golang", "org"), ("sum.golang", "org"),
    ("repo.maven.apache", "org"), ("repo1.maven", "org"), ("registry.yarnpkg", "com"), ("crates", "io"),
]  # fmt: skip
REGISTRY = re.compile("|".join(re.escape(".".join(pair)) for pair in _REGISTRIES))
HOME = re.compile(r"(?<![\w./~-])/(?:home|root|work|Users|tmp)/[A-Za-z_]")


def test_no_tracked_file_names_a_path_of_a_machine_or_a_package_registry() -> None:
    here = re.compile(re.escape(str(repository.ROOT)))
    found = [
        f"{repository.name(path)}: {match[0]}"
        for path in repository.tracked()
        for pattern in (REGISTRY, HOME, here)
        for match in pattern.finditer(path.read_bytes().decode("utf-8", "replace"))
    ]
    assert found == []


def test_the_patterns_find_what_they_are_for() -> None:
    assert HOME.search("cd " + "/home" + "/ada/tocsin")
    assert REGISTRY.search("https://files." + "pythonhosted" + ".org/x")
    assert not HOME.search("mountPath: /tmp")
