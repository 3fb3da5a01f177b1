"""Nothing that a caller sends leaves the process through a log (D22)."""

from __future__ import annotations

import json
import logging

import pytest

from api import logs
from tests.api.support import GOVERNMENT, TODAY, Served, receipt

#: Marked: wherever one of these turns up, it came from a caller.
NAME = "MARKED-Budi-Santoso"
NASTY = f"{NAME}\nfake: line\x1b[31mred\x1b[0m\r\x07"
BASE = f"/v1/governments/{GOVERNMENT}"


def routes(api: Served) -> list[tuple[str, str]]:
    """Every operation of the document, with marked text in every place of its path."""
    document = api.client.get("/openapi.json").json()
    found = []
    for path, operations in document["paths"].items():
        filled = path.replace("{government}", GOVERNMENT)
        while "{" in filled:
            start, end = filled.index("{"), filled.index("}")
            filled = f"{filled[:start]}{NAME}%0A%1B[31m{filled[end + 1 :]}"
        found += [(method.upper(), filled) for method in operations]
    return found


def test_log_of_every_route_shows_nothing_that_was_sent(
    api: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    """Marked names, newlines and ANSI codes in path, query, headers and body appear in no log."""
    bodies: list[bytes] = [
        json.dumps({"reference": NASTY, "name": NASTY, "reason": NASTY, "lines": []}).encode(),
        NASTY.encode(),
    ]
    operations = routes(api)
    capfd.readouterr()

    for method, path in operations:
        for body in bodies if method == "POST" else [b""]:
            api.client.request(
                method,
                f"{path}?account={NAME}&{NAME}=%0A{NAME}",
                content=body,
                headers={
                    "Content-Type": "application/json",
                    "Idempotency-Key": NAME,
                    "X-Correlation-Id": NAME + "_x",
                    "User-Agent": NAME,
                },
            )
    output = capfd.readouterr()

    lines = [line for line in output.err.splitlines() if '"request.answered"' in line]
    assert len(lines) >= len(operations) - 3  # health and metrics are quiet
    assert NAME not in output.err + output.out
    assert "\x1b" not in output.err + output.out
    assert all(json.loads(line)["status"] < 500 for line in lines), output.err


def test_log_of_accepted_acts_shows_no_personal_text(
    api: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    """Posting, refusing and reversing a payee's journal logs neither name nor amount."""
    capfd.readouterr()
    body = receipt("REF-1", "123456.00", payee_name=NAME, description=NAME)
    posted = api.post("/journals", body, key="MARKED-key")
    api.post("/journals", {**body, "description": "x"}, key="MARKED-key")
    reverse = {"reference": "REF-2", "effective_on": TODAY, "reason": NAME}
    api.post(f"/journals/{posted.json()['journal']}:reverse", reverse)

    text = capfd.readouterr().err

    assert 201 == posted.status_code
    assert not [each for each in ("MARKED", "123456", "REF-1", api.token) if each in text]


def test_log_drops_fields_that_are_not_allowed(capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever logs a field that is not on the list logs nothing with it."""
    logs.log.info("test.done", payee=NAME, code="a\nb", status=200)

    line = json.loads(capfd.readouterr().err)

    assert (None, "a?b", 200) == (line.get("payee"), line["code"], line["status"])


def test_log_of_a_library_shows_template_and_type_only(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Arguments and exceptions of other people's log calls stay inside."""
    try:
        int(NAME)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("failed for %s", NAME)

    text = capfd.readouterr().err

    assert NAME not in text
    assert "ValueError" == json.loads(text)["error"]


def test_fault_of_the_program_is_logged_by_type_and_answered_without_detail(
    api: Served, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash in a handler shows neither message nor values, to nobody."""

    def crash(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError(NAME)

    monkeypatch.setattr("api.routes.journals.list_journals", crash)
    monkeypatch.setattr("api.routes.feed.request_fields", crash)
    capfd.readouterr()

    read = api.get("/journals")
    posted = api.post("/journals", receipt())
    text = capfd.readouterr().err

    assert [500, 500] == [read.status_code, posted.status_code]
    assert ["internal", "internal"] == [read.json()["code"], posted.json()["code"]]
    assert NAME not in text + read.text + posted.text
    assert "RuntimeError" in text
