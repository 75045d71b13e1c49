"""Sizes as a tripwire: past these a module or function is split, or its exception says why not."""

import ast
import functools
from pathlib import Path

from tests.support import repository

MODULE_LINES = 300
TEST_MODULE_LINES = 500
FUNCTION_LINES = 50
PARAMETERS = 5

# `path:name` of what is larger than the rule, with the reason it stays whole.
EXCEPTIONS: dict[str, str] = {
    "bench/whole.py:_send_for": "the loop of a measurement, set up whole by its only caller",
}

BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "stuff"})

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

PRODUCT = repository.python_files("services", "shared", "deploy", "cli", "bench")
EVERYTHING = [*PRODUCT, *repository.python_files("tests")]


@functools.cache
def functions(path: Path) -> tuple[FunctionNode, ...]:
    return tuple(node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FunctionNode))


def parameters(function: FunctionNode) -> list[str]:
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [each.arg for each in every if each.arg not in {"self", "cls"}]


def declares_options(function: FunctionNode) -> bool:
    """Whether each parameter is an option of a command line: typer takes them from the signature."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    annotations = [ast.unparse(each.annotation) for each in every if each.annotation is not None]
    return any("typer." in text or text.startswith("flags.") for text in annotations)


def excess(kind: str, found: dict[str, int], most: int) -> list[str]:
    return [f"{where}: {size} {kind}, at most {most}" for where, size in found.items()
            if size > most and where not in EXCEPTIONS]  # fmt: skip


def test_modules_are_short() -> None:
    lines = {repository.name(path): len(path.read_text().splitlines()) for path in PRODUCT}
    assert excess("lines", lines, MODULE_LINES) == []


def test_test_modules_are_short() -> None:
    lines = {repository.name(path): len(path.read_text().splitlines()) for path in repository.python_files("tests")}
    assert excess("lines", lines, TEST_MODULE_LINES) == []


def test_functions_are_short() -> None:
    lines = {
        f"{repository.name(path)}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in EVERYTHING
        for function in functions(path)
    }
    assert excess("lines", lines, FUNCTION_LINES) == []


def test_functions_take_few_parameters() -> None:
    counts = {
        f"{repository.name(path)}:{function.name}": len(parameters(function))
        for path in PRODUCT
        for function in functions(path)
        if not declares_options(function)
    }
    assert excess("parameters", counts, PARAMETERS) == []


def test_every_exception_is_still_needed() -> None:
    known = {repository.name(path) for path in EVERYTHING}
    known |= {f"{repository.name(path)}:{function.name}" for path in EVERYTHING for function in functions(path)}
    assert set(EXCEPTIONS) <= known


def test_no_module_is_named_after_a_drawer() -> None:
    assert [repository.name(path) for path in EVERYTHING if {path.stem, path.parent.name} & BANNED_NAMES] == []
