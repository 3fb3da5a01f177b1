"""
The people of the demo: their roles, their own signing keys, their tokens of the day.

Persons, grants and keys come into the book as everywhere: one administrator proposes, the other
confirms. The private keys stay on this side; the server sees public keys and signatures.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.clock import Clock, local_day
from api.demo.client import Api
from api.demo.data import DemoData
from api.engine import begin, make_engine
from api.settings import Settings
from audit.dsse import sign
from audit.keys import (
    create_secret,
    generate_officer_key,
    officer_key_id,
    prove_possession,
    save_officer_key,
)
from audit.statement import Statement
from ledger.officer_keys import possession_challenge
from ledger.opening import ADMIN_1, ADMIN_2
from ledger.posting import Refused, post_batch
from ledger.tokens import IssueToken, new_token, token_sha256

__all__ = ["STAFF", "Office", "Officer"]

#: person -> (role, name shown in the private table). An id is an office, never a name.
STAFF: Final[dict[str, tuple[str, str]]] = {
    "anggaran": ("budget_officer", "Lina Kusuma"),
    "operator-sp2d": ("sp2d_maker", "Agus Saputra"),
    "verifikator": ("sp2d_verifier", "Ratna Handayani"),
    "kuasa-bud": ("deputy_treasurer", "Hendra Nugraha"),
    "penerimaan": ("receipts_officer", "Yuni Fitriani"),
    "rekonsiliasi": ("reconciler", "Dedi Setiawan"),
    "rekonsiliasi-2": ("reconciler", "Iman Gunawan"),
    "inspektorat": ("inspector", "Wulan Permata"),
}
#: Two more administrators, so that nobody hands out the tokens of two hands of a payment.
_MORE_ADMINISTRATORS: Final = {"admin-3": "Asep Suryana", "admin-4": "Rina Maulana"}
_ISSUER: Final = {"operator-sp2d": ADMIN_2, "verifikator": "admin-3", "kuasa-bud": "admin-4"}
_SIGNING: Final = ("verifikator", "kuasa-bud")


@dataclass(slots=True)
class Officer:
    """A person of the demo. *key* is the private half, None for who signs nothing."""

    person: str
    key: Ed25519PrivateKey | None = None
    token: str = ""

    @property
    def public_hex(self) -> str:
        """The public half: what the bank keeps as a specimen."""
        return "" if self.key is None else self.key.public_key().public_bytes_raw().hex()

    def envelope(self, to_sign: Mapping[str, Any], clock: Clock) -> str:
        """Sign what the ledger asks to be signed, as a DSSE envelope; the officer checked it."""
        if self.key is None:
            raise LookupError(f"{self.person} holds no key")
        statement = Statement(
            **{**to_sign, "payees": tuple(to_sign["payees"])},
            officer=self.person,
            key_id=officer_key_id(bytes.fromhex(self.public_hex)),
            nonce=secrets.token_hex(16),
            claimed_at=f"{clock().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        )
        return sign(statement.to_payload(), self.key).to_bytes().decode()


@dataclass(slots=True)
class Office:
    """Everybody, and the clock they look at."""

    data: DemoData
    folder: Path
    clock: Clock
    origin: str
    people: dict[str, Officer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for person in (ADMIN_1, ADMIN_2, *_MORE_ADMINISTRATORS, *STAFF):
            key = generate_officer_key() if person in _SIGNING else None
            self.people[person] = Officer(person, key)
        for skpd in self.data.skpds():
            self.people[skpd.officer] = Officer(skpd.officer, generate_officer_key())
        for officer in self.people.values():
            if officer.key is not None:
                save_officer_key(self.folder / f"{officer.person}.pem", officer.key)

    def __getitem__(self, person: str) -> Officer:
        return self.people[person]

    def token(self, person: str) -> str:
        """The person's token of today."""
        return self.people[person].token

    def now(self) -> datetime:
        """What the office clock says."""
        return self.clock()

    def start_day(self, settings: Settings) -> None:
        """The operator gives both administrators a token, as `rkud token` does."""
        now = self.clock()
        today = local_day(now, self.data.zone)
        made = {person: new_token() for person in (ADMIN_1, ADMIN_2)}
        commands = [
            IssueToken(person, person, token_sha256(token), operator=True)
            for person, token in made.items()
        ]
        engine = make_engine(settings.url())
        try:
            with begin(engine) as conn:
                results = post_batch(
                    conn, self.data.banten.province.code, commands, now=now, today=today
                )
                for result in results:
                    if isinstance(result, Refused):
                        raise result.error
        finally:
            engine.dispose()
        for person, token in made.items():
            self.people[person].token = token

    async def hand_out_tokens(
        self, api: Api, persons: Iterable[str], tick: Callable[[], None]
    ) -> None:
        """Each gets a token for the day; the inspector's is kept in a file for whoever looks on."""

        async def issue(officer: Officer) -> None:
            token = new_token()
            body = {"person": officer.person, "token_sha256": token_sha256(token), "minutes": 480}
            issuer = _ISSUER.get(officer.person, ADMIN_1)
            await api.post(self.token(issuer), "/tokens", body)
            officer.token = token
            tick()

        wanted = list(persons)
        if "kuasa-bud" in wanted:
            await asyncio.gather(*(issue(self.people[each]) for each in _MORE_ADMINISTRATORS))
        await asyncio.gather(*(issue(self.people[person]) for person in wanted))
        self.inspector_token.unlink(missing_ok=True)
        create_secret(self.inspector_token, f"{self.token('inspektorat')}\n".encode())

    @property
    def budget_users(self) -> list[str]:
        """The PA of every SKPD."""
        return [skpd.officer for skpd in self.data.skpds()]

    @property
    def inspector_token(self) -> Path:
        """Where the inspector's token of the day lies."""
        return self.folder / "inspektorat.token"

    async def appoint_staff(self, api: Api, day: str, tick: Callable[[], None]) -> None:
        """The treasury's own people, each in a role, and two more administrators."""
        await asyncio.gather(
            *(
                self._appoint(api, person, name, "admin", "", day, tick)
                for person, name in _MORE_ADMINISTRATORS.items()
            )
        )
        await asyncio.gather(
            *(
                self._appoint(api, person, name, role, "", day, tick)
                for person, (role, name) in STAFF.items()
            )
        )

    async def appoint_budget_users(self, api: Api, day: str, tick: Callable[[], None]) -> None:
        """A budget user (PA) for each SKPD, and for that one only."""
        persons = self.data.catalogue.persons
        names = [f"{first} {last}" for last in persons.last for first in persons.first]
        await asyncio.gather(
            *(
                self._appoint(api, skpd.officer, names[n], "budget_user", skpd.code, day, tick)
                for n, skpd in enumerate(self.data.skpds())
            )
        )

    async def _appoint(
        self,
        api: Api,
        person: str,
        name: str,
        role: str,
        skpd: str,
        day: str,
        tick: Callable[[], None],
    ) -> None:
        await self._by_two(api, "/persons", {"person": person, "name": name})
        grant = {"person": person, "role": role, "valid_from": day, "skpd": skpd}
        await self._by_two(api, "/grants", grant)
        officer = self.people[person]
        if officer.key is not None:
            proof = prove_possession(officer.key, possession_challenge(self.origin, person))
            key = {
                "person": person,
                "public_key": officer.public_hex,
                "possession": proof.hex(),
            }
            await self._by_two(api, "/officer-keys", key)
        tick()

    async def _by_two(self, api: Api, path: str, body: Mapping[str, object]) -> None:
        """One administrator proposes, the other confirms."""
        proposed = await api.post(self.token(ADMIN_1), path, body)
        await api.post(self.token(ADMIN_2), f"/proposals/{proposed['proposal']}:confirm")
