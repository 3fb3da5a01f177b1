"""Every route against what no client should send: huge numbers, no JSON, twins, endless texts."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.api.support import GOVERNMENT, Served

HUGE = "9" * 30
LONG = 100_000
_numbers = itertools.count(1)
#: A path or query parameter of text that is told apart by its form.
PLAUSIBLE = {"government": GOVERNMENT, "path": "0/000", "act": "sp2d.verify", "account": "1.1"}


@dataclass(frozen=True)
class Operation:
    """A method at an address, with its parameters and an example of its JSON body."""

    method: str
    path: str
    parameters: list[dict[str, Any]] = field(default_factory=list)
    example: Any = None
    #: What is sent where the body is not JSON.
    content: bytes | None = None

    def named(self) -> str:
        return f"{self.method} {self.path}"

    def call(
        self, api: Served, *, content: bytes | None = None, changed: dict[str, str] | None = None
    ) -> Any:
        """Send it with plausible values, but for the *changed* parameters."""
        values = {
            each["name"]: _plausible(each) for each in self.parameters if each["in"] != "header"
        }
        values |= changed or {}
        queries = {each["name"] for each in self.parameters if each["in"] == "query"}
        path = re.sub(r"{(\w+)}", lambda found: str(values[found[1]]), self.path)
        given = {k: v for k, v in values.items() if k in queries and v is not None}
        return api.client.request(
            self.method,
            path,
            params=given,
            content=self.content if content is None else content,
            headers={
                "Idempotency-Key": f"h-{next(_numbers)}",
                "Content-Type": "application/json",
            },
        )


def _plausible(parameter: dict[str, Any]) -> str | None:
    if parameter["name"] in PLAUSIBLE:
        return PLAUSIBLE[parameter["name"]]
    if parameter["in"] == "path":
        return "1"
    if not parameter.get("required"):
        return None
    return "2026" if _is_integer(parameter) else "x"


def _is_integer(parameter: dict[str, Any]) -> bool:
    schema = parameter["schema"]
    return any(s.get("type") == "integer" for s in [schema, *schema.get("anyOf", [])])


def operations(api: Served) -> Iterator[Operation]:
    """Every route of the application, from its own description."""
    document = api.client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            content = said.get("requestBody", {}).get("content", {})
            example = None
            if "application/json" in content:
                example = _example(content["application/json"], document)
            data = b"x" if content and example is None else None
            yield Operation(method.upper(), path, said.get("parameters", []), example, data)


def _example(media: dict[str, Any], document: dict[str, Any]) -> Any:
    if media.get("examples"):
        return next(iter(media["examples"].values()))["value"]
    name = media["schema"]["$ref"].rsplit("/", 1)[1]
    return document["components"]["schemas"][name]["examples"][0]


def with_json(api: Served) -> list[Operation]:
    """The routes that take a JSON body."""
    found = [each for each in operations(api) if each.example is not None]
    assert len(found) > 40
    return found


def test_integer_of_thirty_digits_is_refused_on_every_route(api: Served) -> None:
    """Each integer of a path or a query, one after another: a named refusal, never a fault."""
    tried, wrong = 0, []
    for operation in operations(api):
        for parameter in operation.parameters:
            if not _is_integer(parameter):
                continue
            for digits in (HUGE, f"-{HUGE}", str(2**63)):
                answer = operation.call(api, changed={parameter["name"]: digits})
                tried += 1
                if answer.status_code not in (404, 422) or "code" not in answer.json():
                    wrong.append((operation.named(), parameter["name"], digits[:20], answer.text))

    assert [] == wrong
    assert tried > 80


def test_text_parameter_with_digits_or_nul_is_no_fault_on_any_route(api: Served) -> None:
    """Cursors, `after`, ids of documents, tiles: whatever stands there."""
    wrong = []
    for operation in operations(api):
        for parameter in operation.parameters:
            if parameter["in"] == "header" or _is_integer(parameter):
                continue
            for text in (HUGE, "\0", "é\u2028"):
                changed = text.replace("\0", "%00") if parameter["in"] == "path" else text
                answer = operation.call(api, changed={parameter["name"]: changed})
                if answer.status_code >= 500 and answer.status_code != 503:
                    wrong.append((operation.named(), parameter["name"], text[:9], answer.text))

    assert [] == wrong


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/journals", [int(HUGE), 1]),
        ("/journals", [1, int(HUGE)]),
        ("/journals", [1, -(2**63) - 1]),
        ("/journals", [1, 1e30]),
        ("/balances/history?account=1", ["2026-01-01", int(HUGE), 1]),
        ("/balances/history?account=1", ["2026-01-01", 1, 2**63]),
        ("/balances/history?account=1", ["\0", 1, 1]),
    ],
)
def test_cursor_with_a_number_beyond_the_database_is_refused(
    api: Served, path: str, place: list[object]
) -> None:
    """A cursor is the server's own; one that was made up is no fault."""
    text = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")

    answer = api.get(f"{path}{'&' if '?' in path else '?'}cursor={text}")

    assert (422, "invalid_request", "cursor") == (
        answer.status_code,
        answer.json()["code"],
        answer.json()["field"],
    )


@pytest.mark.parametrize("value", [int(HUGE), "\0", 1.5, None, [], True, "\u2028"], ids=repr)
def test_value_that_a_body_should_not_hold_is_no_fault_on_any_route(
    api: Served, value: object
) -> None:
    """In each place of each body, one after another."""
    wrong = []
    for operation in with_json(api):
        for place, body in _varied(operation.example, value):
            answer = operation.call(api, content=json.dumps(body).encode())
            if answer.status_code >= 500:
                wrong.append((operation.named(), place, answer.text))

    assert [] == wrong


BROKEN: list[tuple[str, bytes, int, int, str]] = [
    ("cut off", b'{"reference": "R",\n  "kind"', 2, 9, ""),
    ("no value", b'{\n"a": }', 2, 6, ""),
    ("two values", b"{} {}", 1, 4, ""),
    ("not a number", b'{"a": NaN}', 1, 7, ""),
    ("byte order mark", b"\xef\xbb\xbf{}", 1, 1, "byte order mark"),
    ("UTF-16", '{"a": 1}'.encode("utf-16"), 1, 1, "UTF-16"),
    ("UTF-16 without mark", '{"a": 1}'.encode("utf-16-le"), 1, 2, "UTF-16"),
    ("Latin-1", b'{"a": "caf\xe9"}', 1, 11, ""),
    ("gzip", b"\x1f\x8b\x08\x00\x00", 1, 2, "gzip"),
    ("binary", b"\x00\x01\x02\x03", 1, 1, "binary"),
]


def test_body_that_is_no_json_is_refused_with_its_place_on_every_route(api: Served) -> None:
    """400, one code, line and column, and what it seems to be."""
    wrong = []
    for operation in with_json(api):
        for name, data, line, column, hint in BROKEN:
            answer = operation.call(api, content=data)
            problem = answer.json()
            said = [problem.get(member) for member in ("code", "line", "column")]
            if (answer.status_code, *said) != (400, "malformed_json", line, column) or (
                hint not in problem["hint"]
            ):
                wrong.append((operation.named(), name, problem))

    assert [] == wrong


def test_body_with_a_member_twice_is_refused_on_every_route(api: Served) -> None:
    """Each object of each example, its first member sent twice: refused, with the member's name."""
    wrong, tried = [], 0
    for operation in with_json(api):
        for name, data in _twinned(operation.example):
            tried += 1
            answer = operation.call(api, content=data)
            problem = answer.json()
            if (422, "duplicate_key", name) != (
                answer.status_code,
                problem.get("code"),
                problem.get("key"),
            ):
                wrong.append((operation.named(), name, problem))

    assert [] == wrong
    assert tried > 40


def test_refusal_of_an_endless_text_is_short_on_every_route(api: Served) -> None:
    """Each text of each body, 100,000 characters long: the answer never gives it back whole."""
    wrong = []
    for operation in with_json(api):
        for place, body in _varied(operation.example, "x" * LONG, grown=True):
            answer = operation.call(api, content=json.dumps(body).encode())
            if answer.status_code >= 500 or len(answer.content) > 4_000:
                wrong.append((operation.named(), place, answer.status_code, len(answer.content)))

    assert [] == wrong


def test_refused_reference_says_how_it_begins_and_how_long_it_is(api: Served) -> None:
    """200 characters, an ellipsis, the length."""
    lines = [{"account": "x" * LONG, "debit": "y" * LONG}, {"account": "1", "credit": "1.00"}]
    body = {"reference": "R", "effective_on": "2026-11-20", "kind": "k", "description": ""}

    problem = api.post("/journals", body | {"lines": lines}).json()

    assert f"{'y' * 200}… ({LONG} characters)" == problem["value"]


def _varied(example: Any, value: object, *, grown: bool = False) -> Iterator[tuple[str, Any]]:
    """The example with each of its leaves (texts only, where *grown*) replaced, and one member more."""
    for place in _places(example):
        if not grown or isinstance(_at(example, place), str):
            yield ".".join(map(str, place)), _replaced(example, place, value)
    if isinstance(value, str):
        yield "(unknown member)", {**example, value: "1"}


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, each in pairs:
            yield from _places(each, (*place, name))
    else:
        yield place


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for name in place:
        value = value[name]
    return value


def _replaced(value: Any, place: tuple[Any, ...], by: object) -> Any:
    copy = json.loads(json.dumps(value))
    _at(copy, place[:-1])[place[-1]] = by
    return copy


def _twinned(example: Any) -> Iterator[tuple[str, bytes]]:
    """The example's text with the first member of each of its objects a second time."""
    text = json.dumps(example)
    for n in range(text.count("{")):
        start = [found.start() for found in re.finditer("{", text)][n]
        first = re.match(r'{"(\w+)": ', text[start:])
        if first is not None:
            yield first[1], f'{text[: start + 1]}"{first[1]}" : "0", {text[start + 1 :]}'.encode()
