"""What the help of a command teaches, where its lists come from tables of the product."""

from __future__ import annotations

from api.cli.teaching import prose, table

__all__ = [
    "budget_lesson",
    "grant_lesson",
    "journals_lesson",
    "policy_lesson",
    "profile_check_lesson",
    "profile_new_lesson",
    "reconcile_lesson",
    "statement_awaiting_lesson",
    "statement_import_lesson",
    "statement_list_lesson",
    "statement_parse_lesson",
]


def policy_lesson() -> str:
    """Policies, their values, and from when they may count."""
    from ledger.policies import POLICIES, POLICY_MEANINGS  # noqa: PLC0415

    rows = []
    for name, values in POLICIES.items():
        rows.append((name, " | ".join(values) or {"feed": "KIND | *"}.get(name, "PATTERN")))
        rows.append(("", POLICY_MEANINGS[name]))
    return "\n".join(
        [
            "Policies and their values:",
            table(rows),
            "",
            prose(
                "A policy counts from a day on, today or later, and stays on record; a later value"
                " follows it. feed is a list: each call adds a kind, and the day may lie in the"
                " past. What stands now: rkud policy list."
            ),
            "",
            "Examples:",
            "  rkud policy set recognition on_cair --from 2027-01-01",
            "  rkud policy set feed receipt --from 2026-01-01",
        ]
    )


def grant_lesson() -> str:
    """Roles, what they may do, and which of them may not meet."""
    from ledger.persons import SERVICE_ROLES  # noqa: PLC0415
    from ledger.roles import EXCLUSIVE, ROLES  # noqa: PLC0415

    return "\n".join(
        [
            "Roles:",
            table(ROLES.items()),
            "",
            prose(
                f"{' and '.join(EXCLUSIVE)} stand alone: whoever holds one of them holds no other"
                f" role on the same day. A service may hold only {' and '.join(sorted(SERVICE_ROLES))}."
                " The mandates plt and plh (acting officers) need --mandate-document."
            ),
            "",
            "Example:",
            "  rkud grant give bud-1 deputy_treasurer --from 2026-01-01",
        ]
    )


def budget_lesson() -> str:
    """Columns of a budget file, and rows of each type."""
    from ledger.budget import COLUMNS  # noqa: PLC0415

    meanings = {
        "type": "line (ceiling of the DPA) or release (funds released, SPD)",
        "budget_line": "id of the line, yours to choose",
        "skpd": "code of the SKPD",
        "skpd_name": "its name; may be empty",
        "sub_kegiatan": "code of the sub kegiatan",
        "account": "5.x or 6.2 of level 6",
        "fund_source": "code; may be empty",
        "amount": 'the whole amount so far, not the change: "1250000.00"',
    }
    rows = (
        ("line", "B-1", "1.02", "Dinkes", "1.02.02", "5.1.02.01.01.0024", "PAD", "9000000.00"),
        ("release", "", "1.02", "", "1.02.02", "", "", "5000000.00"),
    )
    return "\n".join(
        [
            "Columns, in any order (members of the objects in JSON Lines, all text):",
            table((name, meanings[name]) for name in COLUMNS),
            "",
            prose(
                "A release names what the policy release_level says: budget_line; or skpd; or skpd"
                " and sub_kegiatan. An SKPD that is new is added. Either the whole file is loaded or"
                " nothing, and the next file of the year continues it: what it does not name stays."
            ),
            "",
            "Example of a file, with the policy release_level at sub_kegiatan:",
            *(f"  {line}" for line in (",".join(COLUMNS), *(",".join(row) for row in rows))),
            "",
            "Example:",
            "  rkud budget load dpa-2026.csv --fiscal-year 2026 --by bud-officer",
        ]
    )


def journals_lesson() -> str:
    """The members of a line, and one line."""
    import msgspec  # noqa: PLC0415

    from ledger.journals import LINES_MAX, RESERVED_KINDS, JournalBody, LineBody  # noqa: PLC0415
    from ledger.opening import CASH_ACCOUNT  # noqa: PLC0415

    def members(kind: type[msgspec.Struct]) -> str:
        fields = msgspec.structs.fields(kind)
        needed = ", ".join(each.name for each in fields if each.required)
        others = ", ".join(each.name for each in fields if not each.required)
        return f"{needed}; optional: {others}"

    cash, tax = CASH_ACCOUNT, "4.1.01.06.01.0001"
    return "\n".join(
        [
            "One JSON object a line, UTF-8:",
            table(
                [
                    ("journal", members(JournalBody)),
                    ("line", f"{members(LineBody)} (one of debit and credit, as text)"),
                    (
                        "kind",
                        "one that the policy feed allows (rkud policy list), and none of"
                        f" {', '.join(sorted(RESERVED_KINDS))}",
                    ),
                    ("lines", f"2 to {LINES_MAX:,}; debits and credits are equal"),
                ]
            ),
            "",
            "Example of a line (one line in the file):",
            '  {"reference":"STS/1","effective_on":"2026-01-05","kind":"receipt",',
            '   "description":"Pajak hotel","lines":[',
            f'    {{"account":"{cash}","debit":"1250000.00"}},',
            f'    {{"account":"{tax}","credit":"1250000.00"}}]}}',
            "",
            "Each member with its rule: docs/journals.md.",
            "",
            "Example:",
            "  rkud journals import receipts.jsonl",
        ]
    )


def statement_parse_lesson() -> str:
    """Formats and layouts."""
    return "\n".join(
        [_statement_formats(), "", "Example:", "  rkud statement parse 20261120.sta --json"]
    )


def statement_import_lesson() -> str:
    """The same, and what an import wants."""
    return "\n".join(
        [
            _statement_formats(),
            "",
            prose(
                "An intraday report or an advice (MT942, camt.052, camt.054) gives provisional lines:"
                " they await the end-of-day statement, and no run matches them. With --supersedes"
                " the statements of the files are kept aside, and it is proposed that they take the"
                " place of that statement and of those after it, one for one; another reconciler"
                " confirms the proposal (POST /proposals/ID:confirm)."
            ),
            "",
            "Examples:",
            "  rkud statement import 20261120.sta --account 137:0012345678",
            "  rkud statement import ralat.sta --supersedes 12 --reason 'Ralat bank'",
        ]
    )


def statement_list_lesson() -> str:
    """One example."""
    return "Example:\n  rkud statement list --account 137:0012345678"


def statement_awaiting_lesson() -> str:
    """What a provisional line may be."""
    from reconciliation.exceptional_lines import STATES  # noqa: PLC0415

    return "\n".join(
        [
            "States:",
            table(item for item in STATES.items() if item[0] != "confirmed"),
            "",
            "Example:",
            "  rkud statement awaiting --account 137:0012345678",
        ]
    )


def profile_new_lesson() -> str:
    """What the command looks at, and what to do with its answer."""
    return "\n".join(
        [
            prose(
                "Finds the header, the columns by their names in Indonesian or English, the spelling"
                " of days and amounts by their whole columns, the sign, the rows around the entries,"
                " and the check that proves the reading. What can be read in two ways is a question:"
                " its key is left out of the file, behind the word DECIDE, and a layout with such a"
                " gap reads nothing. Exit code 1 when there are questions."
            ),
            "",
            "From a sample to a first import: docs/banks.md.",
            "",
            "Example:",
            "  rkud profile new mutasi.csv --name bank-contoh --bank 137 -o bank-contoh.toml",
        ]
    )


def profile_check_lesson() -> str:
    """Which layouts may be named."""
    return "\n".join(
        [
            prose(
                "A layout is a file that ends in .toml, or the name of one: those that ship (rkud"
                " profile list), else profiles/NAME.toml in the data directory."
            ),
            "",
            "Example:",
            "  rkud profile check bank-contoh.toml mutasi.csv",
        ]
    )


def reconcile_lesson() -> str:
    """What a run prints, and the columns of the matches file."""
    from reconciliation.queries import MATCHES_HEADER  # noqa: PLC0415

    return "\n".join(
        [
            prose(
                "Prints the proof and every open item: A is the bank's closing figure, B the stored"
                " balance of the books, each with its open items, C the difference. Exit code 1 when"
                " a difference is left. A run is kept; another one adds only what is new."
            ),
            "",
            "Columns of --matches-csv, one row for each member of a match or suggestion:",
            table([("", ", ".join(MATCHES_HEADER))]),
            prose("A text that a spreadsheet would compute has an apostrophe in front of it."),
            "",
            "Example:",
            "  rkud reconcile --account 137:0012345678 --matches-csv matches.csv",
        ]
    )


def _statement_formats() -> str:
    from bank_adapters.statements.profile import all_profiles  # noqa: PLC0415
    from bank_adapters.statements.registry import FORMATS  # noqa: PLC0415

    return "\n".join(
        [
            f"Formats (--format): {', '.join(FORMATS)}",
            "Layouts of csv and xlsx (--profile):",
            table((profile.name, profile.title) for profile in all_profiles()),
            "",
            prose(
                "Without the two a file is read when exactly one format and layout claims it;"
                " otherwise it is refused, and they decide. --profile also takes a .toml file of your"
                " own, or its name where it lies in profiles/ of the data directory (rkud profile"
                " new makes one)."
            ),
        ]
    )
