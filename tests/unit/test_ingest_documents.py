"""Bytes of a request: what is a document, what is not, and the document's canonical hash."""

import hashlib
import json
import string
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from services.ingest import documents

_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
_NAMES = st.text(string.ascii_letters + string.digits + '_-. "\\/\x1f\x7f')
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param(b"", "not_json", id="empty"),
        pytest.param(b"hello", "not_json", id="words"),
        pytest.param(b'{"a": 1', "not_json", id="unfinished"),
        pytest.param(b'{"a": 1} {}', "not_json", id="two documents"),
        pytest.param(b'{"a": "\x01"}', "not_json", id="raw control character"),
        pytest.param(b'{"a": "\x00"}', "not_json", id="raw NUL"),
        pytest.param(b'{"a": NaN}', "not_json", id="NaN"),
        pytest.param(b'{"a": -Infinity}', "not_json", id="-Infinity"),
        pytest.param(b'{"a": 1e400}', "number_too_large", id="beyond a double"),
        pytest.param(b'{"a": 9007199254740992}', "number_too_large", id="2^53"),
        pytest.param(b'{"a": ' + b"9" * 100_000 + b"}", "number_too_large", id="huge integer"),
        pytest.param(b'{"a": 1, "b": {"c": 1, "c": 2}}', "duplicate_name", id="name twice"),
        pytest.param(b'{"\\ud800": 1, "\\ud800": 2}', "duplicate_name", id="unspeakable name twice"),
        pytest.param(b'{"a": "\xff"}', "not_utf8", id="bad UTF-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), "not_utf8", id="UTF-16"),
        pytest.param(b"\xed\xa0\x80", "not_utf8", id="surrogate in UTF-8"),
        pytest.param(b"[" * 40 + b"]" * 40, "too_deep", id="40 deep"),
        pytest.param(b"[" * 500_000, "too_deep", id="half a million deep"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too_deep", id="objects 100,000 deep"),
        pytest.param(b'"' + b"x" * 1_048_576 + b'"', "too_large", id="over 1 MiB"),
    ],
)
def test_what_cannot_be_read_the_same_everywhere_is_refused_with_a_word_and_a_sentence(raw: bytes, code: str) -> None:
    with pytest.raises(documents.UnfitDocumentError) as refused:
        documents.parsed(raw)
    assert refused.value.error.code == code
    assert len(refused.value.error.detail) < 200


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"[" * 32 + b"]" * 32, id="32 deep"),
        pytest.param(b"[" + b"[]," * 1_000 + b"[]]", id="wide"),
        pytest.param(b'{"a": 9007199254740991, "b": -0.5, "c": "\\ud83d\\ude00"}', id="numbers and a pair"),
    ],
)
def test_what_is_within_the_limits_is_read_as_json(raw: bytes) -> None:
    assert documents.parsed(raw) == json.loads(raw)


def test_nul_and_lone_surrogates_are_found_wherever_they_stand() -> None:
    document = {"a": ["x", "\x00"], "b": {"c~/d": "\ud800"}, "\x00": 1, "fine": "\U0001f600"}
    found = {(error.pointer, error.code) for error in documents.unstorable(document)}
    assert found == {("/a/1", "nul"), ("/b/c~0~1d", "lone_surrogate"), ("", "nul")}


@pytest.mark.parametrize("document", [{"a": "\ud800"}, {"\udfff": 1}, {"a": "\x00"}])
def test_what_cannot_be_stored_has_no_encoding(document: Any) -> None:
    assert documents.encoded(document) is None
    assert documents.encoded(documents.readable(document)) is not None


def test_a_backslash_before_u0000_is_no_nul() -> None:
    document = {"a": "\\u0000"}
    assert json.loads(documents.encoded(document) or b"") == document


@given(_DOCUMENTS)
def test_the_simple_hash_is_the_canonical_one_where_names_are_ascii_and_numbers_whole(document: Any) -> None:
    text = documents.encoded(document)
    assert text == rfc8785.dumps(document)
    assert documents.simple_hash(text) == documents.canonical_hash(document)


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        pytest.param('{"b": 1, "a": 2}', '{"a":2,"b":1}', id="names sorted"),
        pytest.param('{"a": 1.0, "b": 1e3, "c": 0.000001}', '{"a":1,"b":1000,"c":0.000001}', id="numbers"),
        pytest.param(
            '{"\\u20ac": 1, "\\ud83d\\ude00": 2, "\\ufb33": 3}', '{"€":1,"😀":2,"\ufb33":3}', id="UTF-16 order"
        ),
        pytest.param('["\\u00e4\\/\\u000a"]', '["ä/\\n"]', id="escapes"),
    ],
)
def test_the_hash_is_of_the_form_rfc_8785_prescribes(sent: str, canonical: str) -> None:
    assert documents.canonical_hash(documents.parsed(sent.encode())) == hashlib.sha256(canonical.encode()).digest()
