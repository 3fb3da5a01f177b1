"""
`rkud officer|sign|token`: keys of officers, and tokens.

An officer's private key is read by `officer` and `sign` alone, on the officer's machine; neither
opens a book.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import (
    GovernmentOption,
    JsonOption,
    new_file,
    open_book_of,
    plain,
    print_json,
)
from api.cli.people import ByOption, ConfirmedOption, PersonArgument, both_hands, show
from api.cli.teaching import taught

__all__ = ["add_to"]

_officer = typer.Typer(help="Officers' signing keys.", no_args_is_help=True)
_token = typer.Typer(help="Bearer tokens.", no_args_is_help=True)

KeyOption = Annotated[Path, typer.Option(metavar="FILE", help="The officer's PEM file.")]
OfficerOption = Annotated[str, typer.Option(metavar="PERSON", help="The officer's id.")]
HexOption = Annotated[str, typer.Option(metavar="HEX", help="From `rkud officer prove`.")]
PasswordOption = Annotated[
    str, typer.Option(envvar="RKUD_OFFICER_PASSWORD", help="Password of the key file.", hidden=True)
]

_KEYGEN = """\
RKUD_OFFICER_PASSWORD, when it is set, protects the file.

Example:
  rkud officer keygen -o bud-1.pem"""

_PROVE = """\
Example, with the origin that rkud init printed:
  rkud officer prove --key bud-1.pem --origin rkud/36 --officer bud-1"""

_ENROLL = """\
Both values are what the officer's rkud officer prove printed.

Example:
  rkud officer enroll bud-1 --public-key HEX --possession HEX"""

_REVOKE = """\
Key ids: rkud officer list.

Example:
  rkud officer revoke ed25519:0123456789abcdef --person bud-1"""

_SIGN = """\
The statement is what a route ending in /to-sign answers, saved to a file.

Example:
  rkud sign to-sign.json --key bud-1.pem --officer bud-1 -o envelope.json"""

_ISSUE = """\
Example:
  rkud token issue bud-1 --minutes 480"""

_REVOKE_ISSUED = """\
Token ids: rkud token list.

Example:
  rkud token revoke t-0123456789abcdef"""


def add_to(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.add_typer(_officer, name="officer")
    app.add_typer(_token, name="token")
    app.command("sign", cls=taught(_SIGN))(sign)


@_officer.command("keygen", cls=taught(_KEYGEN))
def officer_keygen(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="New PEM file, 0600.")
    ],
    password: PasswordOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a signing key on the officer's own machine. No book is opened."""
    from audit.keys import generate_officer_key, officer_key_id, save_officer_key  # noqa: PLC0415

    private = generate_officer_key()
    save_officer_key(output, private, password=password.encode() or None)
    public = private.public_key().public_bytes_raw()
    show({"key_id": officer_key_id(public), "public_key": public.hex()}, as_json)


@_officer.command("prove", cls=taught(_PROVE))
def officer_prove(
    key: KeyOption,
    origin: Annotated[
        str, typer.Option(metavar="NAME", help="Origin of the log that the key is for.")
    ],
    officer: OfficerOption,
    password: PasswordOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show that the key is held: what `officer enroll` needs. No book is opened."""
    from audit.keys import load_officer_key, prove_possession  # noqa: PLC0415
    from ledger.officer_keys import possession_challenge  # noqa: PLC0415

    private = load_officer_key(key, password=password.encode() or None)
    proof = prove_possession(private, possession_challenge(origin, officer))
    public = private.public_key().public_bytes_raw().hex()
    show({"public_key": public, "possession": proof.hex()}, as_json)


@_officer.command("enroll", cls=taught(_ENROLL))
def officer_enroll(
    person: PersonArgument,
    public_key: HexOption,
    possession: HexOption,
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Enrol an officer's public key."""
    from ledger.officer_keys import EnrollOfficerKey  # noqa: PLC0415

    act = EnrollOfficerKey(person, public_key, possession)
    both_hands(government, act, by, confirmed_by, as_json)


@_officer.command("list")
def officer_list(government: GovernmentOption = "", as_json: JsonOption = False) -> None:
    """Keys that were enrolled, in their order, and whether they were revoked."""
    from sqlalchemy import select  # noqa: PLC0415

    from api.engine import reading  # noqa: PLC0415
    from ledger import tables as t  # noqa: PLC0415

    key, end = t.officer_key.c, t.officer_key_end.c
    with open_book_of(government) as (_, engine, code), reading(engine) as conn:
        rows = conn.execute(
            select(key.key_id, key.person_id, end.key_id.label("ended"))
            .outerjoin(
                t.officer_key_end, (end.government == key.government) & (end.key_id == key.key_id)
            )
            .where(key.government == code)
            .order_by(key.leaf_index)
        ).all()
    keys = [
        {"key_id": row.key_id, "person": row.person_id, "revoked": row.ended is not None}
        for row in rows
    ]
    if as_json:
        print_json(keys)
        return
    for each in keys:
        end_text = "  revoked" if each["revoked"] else ""
        typer.echo(f"{plain(each['key_id'])}  {plain(each['person'])}{end_text}")


@_officer.command("revoke", cls=taught(_REVOKE))
def officer_revoke(
    key_id: Annotated[str, typer.Argument(help="From `rkud officer list`.")],
    person: Annotated[str, typer.Option(metavar="PERSON", help="Whose key it is.")],
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Revoke a key."""
    from ledger.officer_keys import RevokeOfficerKey  # noqa: PLC0415

    both_hands(government, RevokeOfficerKey(key_id, person), by, confirmed_by, as_json)


def sign(
    statement: Annotated[Path, typer.Argument(help="JSON of .../to-sign; - reads standard input.")],
    key: KeyOption,
    officer: OfficerOption,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="New file; default: standard output."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    password: PasswordOption = "",
) -> None:
    """
    Sign an officer's statement with the own key. No book is opened.

    Shows what is signed, and asks, before the key is used.
    """
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
        with new_file(output) as file:
            file.write(envelope)


# --- tokens --------------------------------------------------------------------------------------


@_token.command("issue", cls=taught(_ISSUE))
def token_issue(
    person: PersonArgument,
    minutes: Annotated[int, typer.Option(metavar="N", min=1, help="Lifetime; 1440 at most.")] = 480,
    by: Annotated[
        str, typer.Option("--by", metavar="PERSON", help="Administrator who issues it.")
    ] = "admin-1",
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
    show({**answer, "token": token}, as_json)


@_token.command("revoke", cls=taught(_REVOKE_ISSUED))
def token_revoke(
    token_id: Annotated[str, typer.Argument(help="From `rkud token list`.")],
    by: Annotated[
        str, typer.Option("--by", metavar="PERSON", help="Administrator who revokes it.")
    ] = "admin-1",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Revoke a token by its id."""
    from api.operating import put  # noqa: PLC0415
    from ledger.tokens import RevokeToken  # noqa: PLC0415

    with open_book_of(government) as (settings, engine, code):
        answer = put(engine, settings, code, RevokeToken(by, token_id))
    show(answer, as_json)


@_token.command("list")
def token_list(government: GovernmentOption = "", as_json: JsonOption = False) -> None:
    """Tokens that open the book now, by id; the tokens themselves are nowhere kept."""
    from sqlalchemy import select  # noqa: PLC0415

    from api.clock import system_clock  # noqa: PLC0415
    from api.engine import reading  # noqa: PLC0415
    from audit.log import instant_text  # noqa: PLC0415
    from ledger import tables as t  # noqa: PLC0415

    token, end = t.token.c, t.token_end.c
    with open_book_of(government) as (_, engine, code), reading(engine) as conn:
        rows = conn.execute(
            select(token.id, token.person_id, token.issued_by, token.expires_at)
            .outerjoin(
                t.token_end, (end.government == token.government) & (end.token_id == token.id)
            )
            .where(
                token.government == code,
                token.expires_at > instant_text(system_clock()),
                end.token_id.is_(None),
            )
            .order_by(token.leaf_index)
        ).all()
    tokens = [
        {
            "token_id": row.id,
            "person": row.person_id,
            "issued_by": row.issued_by,
            "expires_at": row.expires_at,
        }
        for row in rows
    ]
    if as_json:
        print_json(tokens)
        return
    for each in tokens:
        typer.echo(f"{each['token_id']}  {plain(each['person'])}  until {each['expires_at']}")
