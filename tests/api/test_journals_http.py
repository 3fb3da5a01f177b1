"""Journals over HTTP: accepted, refused by name, repeated, listed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.support import CASH, TAX, TODAY, Served, give_role, issue_token, receipt
from tests.databases import Database

PATH = "/v1/governments/36/journals"


def count(api: Served) -> int:
    """Journals in the book."""
    return len(api.get("/journals?limit=1000").json()["journals"])


def raw(api: Served, body: bytes, key: str = "raw") -> Any:
    """POST bytes as they are."""
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    return api.client.post(PATH, content=body, headers=headers)


def test_journal_well_formed_is_posted_with_its_leaf(api: Served) -> None:
    """A posted journal names its batch and its leaf, and can be read back with its lines."""
    answer = api.post("/journals", receipt("STS-A", "1250000.00"))

    read = api.get(f"/journals/{answer.json()['journal']}").json()

    assert answer.status_code == 201
    assert answer.json()["reference"] == "STS-A"
    assert read["leaf_index"] == answer.json()["leaf_index"]
    assert [line["debit"] for line in read["lines"]] == ["1250000.00", None]
    assert [line["credit"] for line in read["lines"]] == [None, "1250000.00"]


LINES = receipt()["lines"]
CASES: list[tuple[str, dict[str, Any], int, str, dict[str, Any]]] = [
    (
        "unbalanced",
        {"lines": [{"account": CASH, "debit": "2.00"}, {"account": TAX, "credit": "1.99"}]},
        422,
        "unbalanced_journal",
        {"difference": "0.01"},
    ),
    (
        "unknown account",
        {"lines": [LINES[0], {"account": "4.9.99.99.99.9999", "credit": "1000.00"}]},
        422,
        "unknown_account",
        {"account": "4.9.99.99.99.9999"},
    ),
    (
        "account above level 6",
        {"lines": [LINES[0], {"account": "4.1.01", "credit": "1000.00"}]},
        422,
        "account_not_postable",
        {"level": 3},
    ),
    ("future", {"effective_on": "2026-11-21"}, 422, "future_effective_date", {"today": TODAY}),
    ("no such year", {"effective_on": "2024-01-05"}, 409, "fiscal_year_not_open", {}),
    (
        "float amount",
        {"lines": [{"account": CASH, "debit": 1000.0}, LINES[1]]},
        422,
        "invalid_field",
        {"field": "lines[0].debit"},
    ),
    (
        "integer amount",
        {"lines": [{"account": CASH, "debit": 1000}, LINES[1]]},
        422,
        "invalid_field",
        {"field": "lines[0].debit"},
    ),
    (
        "grouped amount",
        {"lines": [{"account": CASH, "debit": "1.000,00"}, LINES[1]]},
        422,
        "invalid_field",
        {"field": "lines[0].debit"},
    ),
    (
        "three decimals",
        {"lines": [{"account": CASH, "debit": "1000.001"}, LINES[1]]},
        422,
        "invalid_field",
        {"field": "lines[0].debit"},
    ),
    (
        "negative",
        {"lines": [{"account": CASH, "debit": "-1000.00"}, LINES[1]]},
        422,
        "invalid_field",
        {"field": "lines[0].debit"},
    ),
    (
        "beyond 64 bits",
        {"lines": [{"account": CASH, "debit": "9" * 30}, LINES[1]]},
        422,
        "invalid_field",
        {"field": "lines[0].debit"},
    ),
    (
        "too large",
        {
            "lines": [
                {"account": CASH, "debit": "92233720368547758.07"},
                {"account": TAX, "credit": "92233720368547758.07"},
            ]
        },
        422,
        "too_large",
        {},
    ),
    ("unknown member", {"colour": "red"}, 422, "invalid_field", {}),
    (
        "control character",
        {"description": "a\nb"},
        422,
        "invalid_field",
        {"field": "description"},
    ),
    ("one line", {"lines": LINES[:1]}, 422, "invalid_field", {"field": "lines"}),
    (
        "unknown entity",
        {"lines": [{**LINES[0], "entity": "9.99"}, {**LINES[1], "entity": "9.99"}]},
        422,
        "unknown_entity",
        {"entity": "9.99"},
    ),
    (
        "unknown bank account",
        {"lines": [{**LINES[0], "bank_account": "008:12345678"}, LINES[1]]},
        422,
        "unknown_bank_account",
        {"bank_account": "008:12345678"},
    ),
    (
        "more cash than there is",
        {
            "lines": [
                {"account": "8.1.02.01.01.0024", "debit": "1000000.01"},
                {"account": CASH, "credit": "1000000.01"},
            ]
        },
        409,
        "over_cash",
        {"available": "1000000.00", "asked": "1000000.01"},
    ),
    (
        "unknown budget line",
        {
            "lines": [
                {
                    "account": "8.1.02.01.01.0024",
                    "book": "BUD",
                    "budget_line": "x",
                    "debit": "1.00",
                },
                {"account": TAX, "book": "BUD", "credit": "1.00"},
            ]
        },
        422,
        "unknown_budget_line",
        {"budget_line": "x"},
    ),
]


@pytest.mark.parametrize(
    ("changes", "status", "code", "values"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_journal_bad_is_refused_by_name_and_leaves_no_trace(
    api: Served, changes: dict[str, Any], status: int, code: str, values: dict[str, Any]
) -> None:
    """A wrong journal gets its status, its stable code and the offending values; nothing changes."""
    before = count(api)

    answer = api.post("/journals", receipt("BAD", **changes))

    problem = answer.json()
    assert (status, code) == (answer.status_code, problem["code"]), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"/problems/{code}"
    assert values == {name: problem.get(name) for name in values}
    assert before == count(api)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"reference": }', b"\xff\xfe", b'{"reference": "\xc3\x28"}', b"[" * 5_000],
    ids=lambda body: repr(body)[:24],
)
def test_journal_unreadable_is_refused_as_such(api: Served, body: bytes) -> None:
    """What isn't JSON is 400, and says so."""
    answer = raw(api, body)

    assert (400, "malformed_json") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("body", [b"[1]", b"[[[1]]]", b"null", b'"text"'], ids=repr)
def test_journal_of_another_shape_is_refused(api: Served, body: bytes) -> None:
    """A list where an object belongs is wrong, however deep it goes."""
    answer = raw(api, body)

    assert (422, "invalid_field") == (answer.status_code, answer.json()["code"])


def test_body_of_50_megabytes_is_refused_before_it_is_read(api: Served) -> None:
    """A body beyond the limit is 413 by its announced length."""
    answer = raw(api, b'{"reference": "' + b"x" * 50_000_000 + b'"}')

    assert (413, "body_too_large") == (answer.status_code, answer.json()["code"])
    assert answer.json()["limit"] == 10 * 1024 * 1024


@pytest.mark.parametrize("path", ["/journals", "/journals:batch", "/journals/1:reverse"])
def test_body_without_a_length_is_refused_when_it_passes_the_limit(api: Served, path: str) -> None:
    """A chunked body is counted as it comes, on every route."""

    def chunks() -> Any:
        for _ in range(12):
            yield b"x" * 1024 * 1024

    answer = api.client.post(
        f"/v1/governments/36{path}",
        content=chunks(),
        headers={"Idempotency-Key": "k", "Content-Type": "application/json"},
    )

    assert (413, "body_too_large") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("path", ["/journals", "/journals:batch", "/journals/1:reverse"])
@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, "idempotency_key_required"), ({"Idempotency-Key": "a b"}, "invalid_idempotency_key")],
)
def test_post_without_a_usable_key_is_refused(
    api: Served, path: str, headers: dict[str, str], code: str
) -> None:
    """Whatever changes the books carries a key."""
    body = {"reference": "r", "effective_on": TODAY, "reason": "x"}
    answer = api.client.post(f"/v1/governments/36{path}", json=body, headers=headers)

    assert (400, code) == (answer.status_code, answer.json()["code"])


def test_journal_repeated_with_its_key_gets_the_same_bytes(api: Served) -> None:
    """The same key and body give the stored answer, byte for byte, and one journal."""
    body = receipt("ONCE")
    first = api.post("/journals", body, key="once")
    before = count(api)

    second = api.post("/journals", body, key="once")

    assert (201, first.content) == (second.status_code, second.content)
    assert second.headers["idempotent-replayed"] == "true"
    assert before == count(api)


def test_key_with_another_body_is_refused_naming_the_fields(api: Served) -> None:
    """The same key with another body is 409, and says which members differ."""
    api.post("/journals", receipt("ONE", "1.00"), key="same")

    answer = api.post("/journals", receipt("TWO", "2.00"), key="same")

    assert (409, "idempotency_key_reused") == (answer.status_code, answer.json()["code"])
    assert answer.json()["differs"] == ["lines", "reference"]


def test_reference_with_another_content_is_refused_naming_the_fields(api: Served) -> None:
    """A reference is one journal for ever."""
    api.post("/journals", receipt("REF", "1.00"))

    answer = api.post("/journals", receipt("REF", "2.00", description="lain"))

    assert (409, "reference_reused") == (answer.status_code, answer.json()["code"])
    assert sorted(answer.json()["differs"]) == ["description", "lines"]


def test_refusal_that_may_pass_is_decided_anew(api: Served) -> None:
    """Cash that was short is no answer for ever: the same key works when it has come."""
    body = receipt(
        "LATER",
        lines=[
            {"account": "8.1.02.01.01.0024", "debit": "1000001.00"},
            {"account": CASH, "credit": "1000001.00"},
        ],
    )
    short = api.post("/journals", body, key="later")
    api.post("/journals", receipt("MORE", "1.00"))

    assert "over_cash" == short.json()["code"]
    assert 201 == api.post("/journals", body, key="later").status_code


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (None, 401, "token_required"),
        ("Basic eDp5", 401, "token_required"),
        ("Bearer", 401, "token_required"),
        ("Bearer nobody", 401, "invalid_token"),
        ("Bearer " + "x" * 300, 401, "invalid_token"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_request_without_a_valid_token_is_refused(
    api: Served, method: str, authorization: str | None, status: int, code: str
) -> None:
    """No token, or none of ours: 401, on the fast route and on the others."""
    headers = {"Idempotency-Key": "k"} | ({"Authorization": authorization} if authorization else {})
    api.client.headers.pop("Authorization")
    answer = api.client.request(method, PATH, json=receipt(), headers=headers)

    assert (status, code) == (answer.status_code, answer.json()["code"])
    assert answer.headers["www-authenticate"] == "Bearer"


def test_token_of_another_government_is_refused_by_name(api: Served) -> None:
    """A token opens one book; another government's address is closed to it."""
    answer = api.client.post(
        "/v1/governments/36.72/journals", json=receipt(), headers={"Idempotency-Key": "k"}
    )

    assert (403, "token_of_another_government") == (answer.status_code, answer.json()["code"])
    assert answer.json()["government"] == "36.72"


def test_person_without_the_grant_is_refused(api: Served) -> None:
    """An administrator has no financial right, whatever the token."""
    token = issue_token(api.database, "admin-1")

    answer = api.post("/journals", receipt(), headers={"Authorization": f"Bearer {token}"})

    assert (403, "not_granted") == (answer.status_code, answer.json()["code"])
    assert answer.json()["role"] == "feed"


def test_list_answers_each_journal_for_itself(api: Served) -> None:
    """One bad journal of an unlinked list is refused alone."""
    answer = api.post(
        "/journals:batch",
        {"journals": [receipt("L1"), receipt("L2", "-1.00"), receipt("L3")]},
    ).json()

    assert [201, 422, 201] == [each["status"] for each in answer["results"]]
    assert answer["results"][1]["problem"]["code"] == "invalid_field"


def test_list_linked_is_refused_together_and_names_the_member(api: Served) -> None:
    """A linked list with one bad journal leaves nothing, and says which it was."""
    before = count(api)

    answer = api.post(
        "/journals:batch",
        {"linked": True, "journals": [receipt("M1"), receipt("M2", "-1.00"), receipt("M3")]},
    )

    assert (422, 1) == (answer.status_code, answer.json()["member"])
    assert before == count(api)


def test_list_linked_beyond_a_batch_is_posted_whole(api: Served) -> None:
    """A linked list longer than a batch is never cut."""
    journals = [receipt(f"G{n}", "1.00") for n in range(600)]

    answer = api.post("/journals:batch", {"linked": True, "journals": journals}).json()

    assert {each["status"] for each in answer["results"]} == {201}
    assert len({each["answer"]["batch"] for each in answer["results"]}) == 1


def test_list_repeated_with_its_key_gets_the_same_answer(api: Served) -> None:
    """A list may be repeated as one journal may."""
    body = {"linked": True, "journals": [receipt("P1"), receipt("P2")]}

    first = api.post("/journals:batch", body, key="list")
    second = api.post("/journals:batch", body, key="list")
    other = api.post("/journals:batch", {**body, "linked": False}, key="list")

    assert first.content == second.content
    assert {409} == {each["status"] for each in other.json()["results"]}


def test_reversal_undoes_a_journal_once(api: Served) -> None:
    """A journal is reversed by its mirror image, and only once."""
    journal = api.post("/journals", receipt("WRONG", "5.00")).json()["journal"]
    body = {"reference": "UNDO", "effective_on": TODAY, "reason": "salah"}

    undone = api.post(f"/journals/{journal}:reverse", body)
    again = api.post(f"/journals/{journal}:reverse", {**body, "reference": "UNDO2"})

    assert 201 == undone.status_code, undone.text
    assert (409, "journal_already_reversed") == (again.status_code, again.json()["code"])
    assert api.get(f"/journals/{journal}").json()["reversed_by"] == undone.json()["journal"]
    assert api.get(f"/balances?account={TAX}").json()["balance"] == "0.00"


def test_journals_are_listed_page_by_page_in_the_order_of_posting(api: Served) -> None:
    """The cursor goes through all journals once."""
    for n in range(5):
        api.post("/journals", receipt(f"PAGE-{n}"))
    seen: list[int] = []
    cursor = ""
    while True:
        page = api.get(f"/journals?limit=2&cursor={cursor}").json()
        seen += [each["journal"] for each in page["journals"]]
        if page["next"] is None:
            break
        cursor = page["next"]

    assert seen == sorted(set(seen))
    assert len(seen) == 6  # with the opening balance


@pytest.mark.parametrize("cursor", ["x", "e30", "WzEsICJhIl0", "%00"])
def test_cursor_of_another_server_is_refused(api: Served, cursor: str) -> None:
    """A cursor is one that this server gave."""
    answer = api.get(f"/journals?cursor={cursor}")

    assert (422, "cursor") == (answer.status_code, answer.json()["field"])


def test_private_texts_go_to_persons_with_a_grant_only(api: Served, database: Database) -> None:
    """A feed sees no payee's name; an accountant does."""
    journal = api.post("/journals", receipt("PRIV", payee_name="Budi Santoso")).json()["journal"]
    give_role(database, "admin-2", "inspector")
    token = issue_token(database, "admin-2")

    feed = api.get(f"/journals/{journal}").json()
    # Grants that were put in without an act are not seen by a snapshot that is kept.
    api.runtime.engine.dispose()
    from ledger import settings_shell  # noqa: PLC0415

    settings_shell._snapshots.clear()
    inspector = api.get(f"/journals/{journal}", headers={"Authorization": f"Bearer {token}"}).json()

    assert (None, None) == (feed["description"], feed["payee_name"])
    assert ("Pajak hotel", "Budi Santoso") == (inspector["description"], inspector["payee_name"])


def test_balances_agree_with_what_was_posted(api: Served) -> None:
    """Now, on a day, as known at a batch, running and in the trial balance: one truth."""
    first = api.post("/journals", receipt("B1", "10.00")).json()
    api.post("/journals", receipt("B2", "5.00", effective_on="2026-10-01"))

    assert "-15.00" == api.get(f"/balances?account={TAX}").json()["balance"]
    assert "-5.00" == api.get(f"/balances?account={TAX}&on=2026-10-31").json()["balance"]
    known = api.get(f"/balances?account={TAX}&on={TODAY}&known_at_batch={first['batch']}").json()
    assert "-10.00" == known["balance"]
    lines = api.get(f"/balances/history?account={TAX}").json()["lines"]
    assert ["-5.00", "-15.00"] == [line["balance"] for line in lines]
    rows = {row["account"]: row for row in api.get("/trial-balance").json()["rows"]}
    assert ("0.00", "15.00", "-15.00") == tuple(
        rows[TAX][side] for side in ("debit", "credit", "balance")
    )


def test_correlation_id_is_kept_when_it_is_plain_and_replaced_when_not(api: Served) -> None:
    """Only letters, digits and dashes, at most 64, come back."""
    kept = api.client.get("/healthz", headers={"X-Correlation-Id": "abc-123"})
    replaced = api.client.get("/healthz", headers={"X-Correlation-Id": "a b\x1b[31m"})

    assert kept.headers["x-correlation-id"] == "abc-123"
    assert replaced.headers["x-correlation-id"].isalnum()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/v1/governments/36/journals/1", 405, "method_not_allowed"),
        ("GET", "/v1/governments/36/journals/999", 404, "unknown_journal"),
        ("GET", "/v1/governments/36/journals/x", 422, "invalid_request"),
        ("GET", "/v1/governments/36/journals?limit=0", 422, "invalid_request"),
        ("GET", "/v1/governments/36/balances?account=1&on=2026-02-30", 422, "invalid_field"),
        ("GET", "/v1/governments/xx/journals", 422, "invalid_request"),
    ],
)
def test_address_wrong_is_a_problem_document(
    api: Served, method: str, path: str, status: int, code: str
) -> None:
    """Whatever the framework refuses is a named problem too."""
    answer = api.client.request(method, path)

    assert (status, code) == (answer.status_code, answer.json()["code"])
    assert answer.headers["content-type"] == "application/problem+json"


def test_problem_type_is_a_page_that_explains_the_code(api: Served) -> None:
    """`type` can be followed."""
    problem = api.get("/journals/999").json()

    page = api.client.get(problem["type"])

    assert 200 == page.status_code
    assert page.text.startswith("unknown_journal (404)")


def test_operations_show_readiness_and_figures(api: Served) -> None:
    """Health, readiness and metrics need no token."""
    api.client.headers.pop("Authorization")

    assert [200, 200, 200] == [
        api.client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")
    ]
    assert "rkud_http_requests_total" in api.client.get("/metrics").text


def test_openapi_body_example_works(api: Served) -> None:
    """The example of the document can be sent as it stands."""
    document = api.client.get("/openapi.json").json()
    body = document["paths"]["/v1/governments/{government}/journals"]["post"]["requestBody"]
    example = body["content"]["application/json"]["examples"]["receipt"]["value"]

    answer = api.post("/journals", example)

    assert 201 == answer.status_code, answer.text
    assert "JournalBody" in json.dumps(document["components"]["schemas"])
