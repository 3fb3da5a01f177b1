"""A caller of the served bank for its own tests: signs as the notes say, and reads what comes."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bank_adapters.simulator.commands import open_bank
from bank_adapters.simulator.report import report
from bank_adapters.snap.signatures import (
    asymmetric_text,
    sign_hmac,
    sign_rsa,
    symmetric_text,
    timestamp,
    token_text,
)

WIB = timezone(timedelta(hours=7))
ACCOUNT = "0012345678"
PAYEES = (
    ("137", "2000000001", "CV Maju"),
    ("137", "2000000002", "CV Mundur"),
    ("002", "3000000001", "PT Jaya"),
)
_external_ids = count(1)


def command(*arguments: object) -> dict:
    """Run a command of the bank's in a process of its own; its answer."""
    done = subprocess.run(
        [sys.executable, "-m", "bank_adapters.simulator", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def prepare(directory: Path, *more: object, balance: str = "1000000000.00") -> dict:
    payees = [part for each in PAYEES for part in ("--payee-account", ":".join(each))]
    return command(
        *("prepare", "--directory", directory, "--account", f"137:{ACCOUNT}"),
        *("--balance", balance, "--on", "2026-03-04", *payees, *more),
    )


@dataclass
class Served:
    """A bank that is served in a process of its own; `with Served(...) as bank`."""

    directory: Path
    arguments: tuple = ()
    script: str = ""
    process: subprocess.Popen | None = None
    url: str = ""

    def __enter__(self) -> Served:
        arguments = list(self.arguments)
        if self.script:
            path = self.directory.with_suffix(".toml")
            path.write_text(self.script)
            arguments += ["--faults", path]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "bank_adapters.simulator", "serve", "--port", "0"),
                *("--directory", str(self.directory), "--today", "2026-03-05"),
                *map(str, arguments),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = json.loads(self.process.stdout.readline())["ready"]
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is None:
            return
        self.process.terminate()
        assert self.process.wait(10) == 0
        self.process.stdout.close()

    def kill(self) -> None:
        """As the power does it."""
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()
        self.process = None

    def caller(self, **changed: object) -> Caller:
        given = json.loads((self.directory / "credentials.json").read_text())
        return Caller({**given, **changed})

    def report(self) -> dict:
        with closing(open_bank(self.directory)) as conn:
            return report(conn)


@dataclass
class Answer:
    """http: 0 where none came."""

    http: int
    body: dict = field(default_factory=dict)
    raw: bytes = b""

    @property
    def code(self) -> str:
        return self.body.get("responseCode", "")


@dataclass
class Caller:
    """One client with its credentials; what it signs can be spoilt by arguments."""

    given: dict
    token: str = ""

    def connection(self) -> http.client.HTTPConnection:
        scheme, _, address = self.given["base_url"].partition("://")
        if scheme == "http":
            return http.client.HTTPConnection(address, timeout=10)
        context = ssl.create_default_context(cafile=self.given["tls_certificate_file"])
        return http.client.HTTPSConnection(address, timeout=10, context=context)

    def send(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = self.connection()
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            raw = answer.read()
        except (http.client.HTTPException, OSError):
            return Answer(0)
        finally:
            connection.close()
        try:
            return Answer(answer.status, json.loads(raw), raw)
        except ValueError:
            return Answer(answer.status, {}, raw)

    def key(self):
        pem = Path(self.given["customer_private_key_file"]).read_bytes()
        return load_pem_private_key(pem, None)

    def ask_token(self, when: datetime | None = None, **headers: str) -> Answer:
        stamp = timestamp(when or datetime.now(WIB))
        text = token_text(self.given["client_id"], stamp)
        body = b'{"grantType":"client_credentials","additionalInfo":{}}'
        signature = sign_rsa(text, self.key(), self.given["signature_encoding"])
        answer = self.send(
            f"{self.given['base_path']}/access-token/b2b",
            body,
            {
                "Content-Type": "application/json",
                "X-TIMESTAMP": stamp,
                "X-CLIENT-KEY": self.given["client_id"],
                "X-SIGNATURE": signature,
                **headers,
            },
        )
        self.token = answer.body.get("accessToken", self.token)
        return answer

    def headers(
        self, path: str, body: bytes, *, when: datetime | None = None, external_id: str = ""
    ) -> dict[str, str]:
        stamp = timestamp(when or datetime.now(WIB))
        encoding = self.given["signature_encoding"]
        if self.given["transaction_signature"] == "asymmetric":
            signature = sign_rsa(asymmetric_text("POST", path, body, stamp), self.key(), encoding)
        else:
            if not self.token:
                self.ask_token()
            text = symmetric_text("POST", path, self.token, body, stamp)
            signature = sign_hmac(text, self.given["client_secret"], encoding)
        return {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.token or 'none'}",
            "X-TIMESTAMP": stamp,
            "X-SIGNATURE": signature,
            "X-PARTNER-ID": self.given["partner_id"],
            "X-EXTERNAL-ID": external_id
            or f"{datetime.now(WIB):%Y%m%d%H%M%S%f}{next(_external_ids):06d}",
            "CHANNEL-ID": self.given["channel_id"],
        }

    def call(self, service: str, body: dict, **headers: str) -> Answer:
        """One signed call; *headers* replace what was signed, an empty one is left out."""
        path = f"{self.given['base_path']}{service}"
        raw = json.dumps(body).encode()
        sent = {**self.headers(path, raw), **headers}
        return self.send(path, raw, {name: value for name, value in sent.items() if value})

    def raw_call(self, service: str, body: dict) -> tuple[bytes, str]:
        """The same over a bare socket: every byte that came, and how the connection ended."""
        path = f"{self.given['base_path']}{service}"
        raw = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: bank", f"Content-Length: {len(raw)}"]
        lines += [f"{name}: {value}" for name, value in self.headers(path, raw).items()]
        host, port = re.fullmatch(r"http://(.*):(\d+)", self.given["base_url"]).groups()
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)
            came = b""
            try:
                while piece := sock.recv(65536):
                    came += piece
            except ConnectionResetError:
                return came, "reset"
            except TimeoutError:
                return came, "open"
        return came, "closed"


SERVICES = {
    "17": "/transfer-intrabank",
    "18": "/transfer-interbank",
    "22": "/transfer-rtgs",
    "23": "/transfer-skn",
}


def transfer(reference: str, service: str = "17", amount: str = "1500000.00", **more) -> dict:
    """A body that the bank carries out."""
    body = {
        "partnerReferenceNo": reference,
        "amount": {"value": amount, "currency": "IDR"},
        "beneficiaryAccountNo": "2000000001" if service == "17" else "3000000001",
        "sourceAccountNo": ACCOUNT,
        "transactionDate": "2026-03-05T10:15:30+07:00",
        "customerReference": reference[:30],
    }
    if service != "17":
        body |= {"beneficiaryAccountName": "PT Jaya", "beneficiaryBankCode": "002"}
    if service == "18":
        body["additionalInfo"] = {"transferType": "2", "purposeCode": "99"}
    else:
        body["remark"] = f"{reference} Belanja LS"
    if service in ("22", "23"):
        body |= {"beneficiaryCustomerResidence": "1", "beneficiaryCustomerType": "2"}
    return body | more


def pay(caller: Caller, reference: str, service: str = "17", **more) -> Answer:
    return caller.call(SERVICES[service], transfer(reference, service, **more))


def status(caller: Caller, reference: str, service: str = "17") -> Answer:
    body = {"originalPartnerReferenceNo": reference, "serviceCode": service}
    return caller.call("/transfer/status", body)
