"""
`rkud person|grant|officer|token|entity|policy|sign`, and `rkud budget load`.

The operator's commands do both halves of a two-person act in the names of two administrators, and
the log says that it was the operator. An officer's private key is read by `officer` and `sign`
alone, on the officer's machine; neither opens a book.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.common import GovernmentOption, JsonOption, open_book_of, plain, print_json

if TYPE_CHECKING:
    from ledger.acts import Ask

__all__ = ["add_to"]

_person = typer.Typer(help="Persons.", no_args_is_help=True)
_grant = typer.Typer(help="Roles that persons hold.", no_args_is_help=True)
_officer = typer.Typer(help="Officers' signing keys.", no_args_is_help=True)
_token = typer.Typer(help="Bearer tokens.", no_args_is_help=True)
_entity = typer.Typer(help="SKPDs.", no_args_is_help=True)
_policy = typer.Typer(help="Dated settings of the government.", no_args_is_help=True)
_budget = typer.Typer(help="The budget.", no_args_is_help=True)

ByOption = Annotated[str, typer.Option("--by", help="Administrator who proposes.")]
ConfirmedOption = Annotated[str, typer.Option(help="Administrator who confirms.")]
PasswordOption = Annotated[
    str, typer.Option(envvar="RKUD_OFFICER_PASSWORD", help="Password of the key file.", hidden=True)
]


def add_to(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.add_typer(_person, name="person")
    app.add_typer(_grant, name="grant")
    app.add_typer(_officer, name="officer")
    app.add_typer(_token, name="token")
    app.add_typer(_entity, name="entity")
    app.add_typer(_policy, name="policy")
    app.add_typer(_budget, name="budget")
    app.command("sign", help="Sign an officer's statement with the own key; needs no book.")(sign)


def _both_hands(government: str, act: Ask, by: str, confirmed_by: str, as_json: bool) -> None:
    from api.operating import put  # noqa: PLC0415
    from ledger.proposals import BothHands  # noqa: PLC0415

    with open_book_of(government) as (settings, engine, code):
        answer = put(engine, settings, code, BothHands(by, confirmed_by, act))
    _show(answer, as_json)


def _show(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        for name, value in answer.items():
            typer.echo(f"{name}: {plain(value)}")


@_person.command("add")
def person_add(
    person: Annotated[str, typer.Argument(help="Id, public for ever: an office, not a name.")],
    name: Annotated[str, typer.Option(help="Name; kept apart from the log.")],
    nip: Annotated[str, typer.Option(help="NIP, 18 digits.")] = "",
    kind: Annotated[str, typer.Option(metavar="officer|service")] = "officer",
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add a person."""
    from ledger.persons_shell import AddPerson  # noqa: PLC0415

    _both_hands(government, AddPerson(person, name, nip, kind), by, confirmed_by, as_json)


@_person.command("list")
def person_list(government: GovernmentOption = "", as_json: JsonOption = False) -> None:
    """Persons with the grants they hold, by id."""
    from sqlalchemy import select  # noqa: PLC0415

    from api.engine import reading  # noqa: PLC0415
    from audit.database import log_edge  # noqa: PLC0415
    from ledger.settings_shell import settings_of  # noqa: PLC0415

    with open_book_of(government) as (_, engine, code), reading(engine) as conn:
        rev = conn.execute(
            select(log_edge.c.config_rev).where(log_edge.c.government == code)
        ).scalar_one()
        snapshot = settings_of(conn, code, rev)
    persons = [
        {
            "person": person,
            "kind": kind,
            "grants": [held._asdict() for held in snapshot.grants.get(person, ())],
        }
        for person, kind in sorted(snapshot.persons.items())
    ]
    if as_json:
        print_json(persons)
        return
    for each in persons:
        typer.echo(f"{each['person']} ({each['kind']})")
        for held in snapshot.grants.get(str(each["person"]), ()):
            skpd = f" for {held.skpd}" if held.skpd else ""
            typer.echo(
                f"    {held.role}{plain(skpd)} {held.valid_from} to {held.valid_to}  {held.id}"
            )


@_grant.command("give")
def grant_give(
    person: str,
    role: str,
    valid_from: Annotated[str, typer.Option("--from", metavar="DATE")],
    valid_to: Annotated[str, typer.Option("--to", metavar="DATE")] = "9999-12-31",
    skpd: Annotated[str, typer.Option(help="For one SKPD; default: all.")] = "",
    mandate: Annotated[str, typer.Option(metavar="definitive|plt|plh")] = "definitive",
    mandate_document: Annotated[str, typer.Option(help="Document of an acting officer.")] = "",
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give a role."""
    from ledger.persons_shell import GiveGrant  # noqa: PLC0415

    act = GiveGrant(person, role, valid_from, valid_to, skpd, mandate, mandate_document)
    _both_hands(government, act, by, confirmed_by, as_json)


@_grant.command("end")
def grant_end(
    grant: str,
    on: Annotated[str, typer.Option(metavar="DATE", help="First day on which it does not count.")],
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """End a grant."""
    from ledger.persons_shell import EndGrant  # noqa: PLC0415

    _both_hands(government, EndGrant(grant, on), by, confirmed_by, as_json)


@_entity.command("add")
def entity_add(
    code: str,
    name: str,
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add an SKPD."""
    from ledger.policies import AddEntity  # noqa: PLC0415

    _both_hands(government, AddEntity(code, name), by, confirmed_by, as_json)


@_policy.command("set")
def policy_set(
    name: str,
    value: str,
    valid_from: Annotated[str, typer.Option("--from", metavar="DATE")],
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Set a policy from a day on."""
    from ledger.policies import SetPolicy  # noqa: PLC0415

    _both_hands(government, SetPolicy(name, value, valid_from), by, confirmed_by, as_json)


# --- keys ----------------------------------------------------------------------------------------


@_officer.command("keygen")
def officer_keygen(
    output: Annotated[Path, typer.Option("-o", "--output", help="New PEM file, 0600.")],
    password: PasswordOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a signing key on the officer's own machine. No book is opened."""
    from audit.keys import generate_officer_key, officer_key_id, save_officer_key  # noqa: PLC0415

    private = generate_officer_key()
    save_officer_key(output, private, password=password.encode() or None)
    public = private.public_key().public_bytes_raw()
    _show({"key_id": officer_key_id(public), "public_key": public.hex()}, as_json)


@_officer.command("prove")
def officer_prove(
    key: Annotated[Path, typer.Option(help="The officer's PEM file.")],
    origin: Annotated[str, typer.Option(help="Origin of the log that the key is for.")],
    officer: Annotated[str, typer.Option(help="The officer's id.")],
    password: PasswordOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show that the key is held: what `officer enroll` needs. No book is opened."""
    from audit.keys import load_officer_key, prove_possession  # noqa: PLC0415
    from ledger.officer_keys import possession_challenge  # noqa: PLC0415

    private = load_officer_key(key, password=password.encode() or None)
    proof = prove_possession(private, possession_challenge(origin, officer))
    public = private.public_key().public_bytes_raw().hex()
    _show({"public_key": public, "possession": proof.hex()}, as_json)


@_officer.command("enroll")
def officer_enroll(
    person: str,
    public_key: Annotated[str, typer.Option(metavar="HEX")],
    possession: Annotated[str, typer.Option(metavar="HEX", help="From `rkud officer prove`.")],
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Enrol an officer's public key."""
    from ledger.officer_keys import EnrollOfficerKey  # noqa: PLC0415

    act = EnrollOfficerKey(person, public_key, possession)
    _both_hands(government, act, by, confirmed_by, as_json)


@_officer.command("revoke")
def officer_revoke(
    key_id: str,
    person: Annotated[str, typer.Option(help="Whose key it is.")],
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Revoke a key."""
    from ledger.officer_keys import RevokeOfficerKey  # noqa: PLC0415

    _both_hands(government, RevokeOfficerKey(key_id, person), by, confirmed_by, as_json)


def sign(
    statement: Annotated[Path, typer.Argument(help="JSON of .../to-sign; - reads standard input.")],
    key: Annotated[Path, typer.Option(help="The officer's PEM file.")],
    officer: Annotated[str, typer.Option(help="The officer's id.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Envelope; default: standard output.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    password: PasswordOption = "",
) -> None:
    """Shows what is signed, and asks, before the key is used."""
    import json  # noqa: PLC0415
    import secrets  # noqa: PLC0415
    from datetime import UTC, datetime  # noqa: PLC0415

    from audit.dsse import sign as sign_payload  # noqa: PLC0415
    from audit.errors import MalformedStatementError  # noqa: PLC0415
    from audit.keys import load_officer_key, officer_key_id  # noqa: PLC0415
    from audit.statement import Statement  # noqa: PLC0415

    text = sys.stdin.read() if str(statement) == "-" else statement.read_text(encoding="utf-8")
    try:
        asked = json.loads(text)
        asked["payees"] = tuple(asked["payees"])
        private = load_officer_key(key, password=password.encode() or None)
        said = Statement(
            **asked,
            officer=officer,
            key_id=officer_key_id(private.public_key().public_bytes_raw()),
            nonce=secrets.token_hex(16),
            claimed_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        )
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise MalformedStatementError("not the answer of a to-sign route") from error
    typer.echo(
        f"{said.decision} {said.act} of {plain(said.object)}: {said.amount} to"
        f" {len(said.payees)} payees, as {said.role}",
        err=True,
    )
    if not yes:
        typer.confirm("Sign?", abort=True, err=True)
    envelope = sign_payload(said.to_payload(), private).to_bytes()
    if output is None:
        sys.stdout.write(envelope.decode() + "\n")
    else:
        output.write_bytes(envelope)


# --- tokens, budget ----------------------------------------------------------------------------


@_token.command("issue")
def token_issue(
    person: str,
    minutes: Annotated[int, typer.Option(min=1, help="Lifetime.")] = 480,
    by: Annotated[str, typer.Option("--by", help="Administrator who issues it.")] = "admin-1",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Issue a token; it is shown once and stored hashed."""
    from api.operating import put  # noqa: PLC0415
    from ledger.tokens import IssueToken, new_token, token_sha256  # noqa: PLC0415

    token = new_token()
    command = IssueToken(by, person, token_sha256(token), minutes, operator=True)
    with open_book_of(government) as (settings, engine, code):
        answer = put(engine, settings, code, command)
    _show({**answer, "token": token}, as_json)


@_token.command("revoke")
def token_revoke(
    token_id: str,
    by: Annotated[str, typer.Option("--by", help="Administrator who revokes it.")] = "admin-1",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Revoke a token by its id."""
    from api.operating import put  # noqa: PLC0415
    from ledger.tokens import RevokeToken  # noqa: PLC0415

    with open_book_of(government) as (settings, engine, code):
        answer = put(engine, settings, code, RevokeToken(by, token_id))
    _show(answer, as_json)


@_budget.command("load")
def budget_load(
    file: Annotated[Path, typer.Argument(help="CSV or JSON Lines (.jsonl).")],
    fiscal_year: Annotated[int, typer.Option()],
    by: Annotated[str, typer.Option("--by", help="Person with the role budget_officer.")],
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Load ceilings (DPA) and releases (SPD)."""
    from api.importing import FileUnreadableError  # noqa: PLC0415
    from api.operating import put  # noqa: PLC0415
    from ledger.budget import parse_budget_csv, parse_budget_jsonl  # noqa: PLC0415
    from ledger.budget_shell import LoadBudget  # noqa: PLC0415

    try:
        data = file.read_bytes()
    except OSError as error:
        raise FileUnreadableError(path=str(file), reason=error.strerror or "unreadable") from None
    read = (parse_budget_jsonl if file.suffix == ".jsonl" else parse_budget_csv)(data)
    with open_book_of(government) as (settings, engine, code):
        command = LoadBudget(by, fiscal_year, read.file_sha256, read.rows)
        answer = put(engine, settings, code, command)
    _show(answer, as_json)
