"""
`rkud person|grant|entity|policy`.

The operator's commands do both halves of a two-person act in the names of two administrators, and
the log says that it was the operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.common import GovernmentOption, JsonOption, open_book_of, plain, print_json
from api.cli.lessons import grant_lesson, policy_lesson
from api.cli.teaching import taught

if TYPE_CHECKING:
    from ledger.acts import Ask

__all__ = ["ByOption", "ConfirmedOption", "PersonArgument", "add_to", "both_hands", "show"]

_person = typer.Typer(help="Persons.", no_args_is_help=True)
_grant = typer.Typer(help="Roles that persons hold.", no_args_is_help=True)
_entity = typer.Typer(help="SKPDs.", no_args_is_help=True)
_policy = typer.Typer(help="Dated settings of the government.", no_args_is_help=True)

ByOption = Annotated[
    str, typer.Option("--by", metavar="PERSON", help="Administrator who proposes.")
]
ConfirmedOption = Annotated[str, typer.Option(metavar="PERSON", help="Administrator who confirms.")]
PersonArgument = Annotated[str, typer.Argument(help="Id of a person: `rkud person list`.")]
DayOption = Annotated[
    str, typer.Option("--from", metavar="DATE", help="First day on which it counts.")
]

_PERSON = """\
Example:
  rkud person add bud-1 --name "Siti Rahmawati" --nip 197001011990032001"""

_GRANT_END = """\
Ids of grants: rkud person list.

Example:
  rkud grant end init-svc-feed-feed --on 2026-12-01"""

_ENTITY = """\
A budget file adds the SKPDs that it names by itself.

Example:
  rkud entity add 1.02.0.00.0.00.01 "Dinas Kesehatan"
"""


def add_to(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.add_typer(_person, name="person")
    app.add_typer(_grant, name="grant")
    app.add_typer(_entity, name="entity")
    app.add_typer(_policy, name="policy")


def both_hands(government: str, act: Ask, by: str, confirmed_by: str, as_json: bool) -> None:
    """Do an act in the names of two administrators, and show what it answers."""
    from api.operating import put  # noqa: PLC0415
    from ledger.proposals import BothHands  # noqa: PLC0415

    with open_book_of(government) as (settings, engine, code):
        answer = put(engine, settings, code, BothHands(by, confirmed_by, act))
    show(answer, as_json)


def show(answer: dict[str, Any], as_json: bool) -> None:
    """Print an answer, member by member."""
    if as_json:
        print_json(answer)
    else:
        for name, value in answer.items():
            typer.echo(f"{name}: {plain(value)}")


@_person.command("add", cls=taught(_PERSON))
def person_add(
    person: Annotated[str, typer.Argument(help="Id, public for ever: an office, not a name.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="Kept apart from the log.")],
    nip: Annotated[str, typer.Option(metavar="NIP", help="18 digits.")] = "",
    kind: Annotated[
        str, typer.Option(metavar="KIND", help="officer, or service: a program.")
    ] = "officer",
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add a person."""
    from ledger.persons_shell import AddPerson  # noqa: PLC0415

    both_hands(government, AddPerson(person, name, nip, kind), by, confirmed_by, as_json)


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


@_grant.command("give", cls=taught(grant_lesson))
def grant_give(
    person: PersonArgument,
    role: Annotated[str, typer.Argument(help="One of the roles below.")],
    valid_from: DayOption,
    valid_to: Annotated[str, typer.Option("--to", metavar="DATE", help="Last day.")] = "9999-12-31",
    skpd: Annotated[str, typer.Option(metavar="CODE", help="For one SKPD; default: all.")] = "",
    mandate: Annotated[
        str, typer.Option(metavar="KIND", help="definitive, plt or plh.")
    ] = "definitive",
    mandate_document: Annotated[
        str, typer.Option(metavar="TEXT", help="Document of an acting officer.")
    ] = "",
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give a role."""
    from ledger.persons_shell import GiveGrant  # noqa: PLC0415

    act = GiveGrant(person, role, valid_from, valid_to, skpd, mandate, mandate_document)
    both_hands(government, act, by, confirmed_by, as_json)


@_grant.command("end", cls=taught(_GRANT_END))
def grant_end(
    grant: Annotated[str, typer.Argument(help="Id of a grant: `rkud person list`.")],
    on: Annotated[str, typer.Option(metavar="DATE", help="First day on which it does not count.")],
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """End a grant."""
    from ledger.persons_shell import EndGrant  # noqa: PLC0415

    both_hands(government, EndGrant(grant, on), by, confirmed_by, as_json)


@_entity.command("add", cls=taught(_ENTITY))
def entity_add(
    code: Annotated[str, typer.Argument(help="Code of the SKPD.")],
    name: Annotated[str, typer.Argument(help="Its name.")],
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add an SKPD."""
    from ledger.policies import AddEntity  # noqa: PLC0415

    both_hands(government, AddEntity(code, name), by, confirmed_by, as_json)


@_policy.command("set", cls=taught(policy_lesson))
def policy_set(
    name: Annotated[str, typer.Argument(help="One of the policies below.")],
    value: Annotated[str, typer.Argument(help="One of its values.")],
    valid_from: DayOption,
    by: ByOption = "admin-1",
    confirmed_by: ConfirmedOption = "admin-2",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Set a policy from a day on."""
    from ledger.policies import SetPolicy  # noqa: PLC0415

    both_hands(government, SetPolicy(name, value, valid_from), by, confirmed_by, as_json)


@_policy.command("list")
def policy_list(government: GovernmentOption = "", as_json: JsonOption = False) -> None:
    """What was set, by policy and day."""
    from sqlalchemy import select  # noqa: PLC0415

    from api.engine import reading  # noqa: PLC0415
    from ledger import tables as t  # noqa: PLC0415

    column = t.policy.c
    with open_book_of(government) as (_, engine, code), reading(engine) as conn:
        rows = conn.execute(
            select(column.name, column.valid_from, column.value)
            .where(column.government == code)
            .order_by(column.name, column.valid_from, column.leaf_index)
        ).all()
    if as_json:
        print_json([{"policy": r.name, "valid_from": r.valid_from, "value": r.value} for r in rows])
        return
    for row in rows:
        since = "always" if row.valid_from == "0001-01-01" else f"from {row.valid_from}"
        typer.echo(f"{row.name:<18}{plain(row.value):<18}{since}")
