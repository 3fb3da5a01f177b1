"""The way out: one host, the address that was checked, TLS 1.3, one deadline, nothing followed."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from bank_adapters.snap.addresses import Reach, refusal_of
from bank_adapters.snap.errors import AddressRefusedError, BankUnreachableError
from bank_adapters.snap.outbound import Answer, Outbound
from bank_adapters.snap.sockets import Resolver
from tests.bank_adapters.snap.bank import Bank, Call, Raw, answer, connect, serving, simulated
from tests.bank_adapters.snap.certificates import Authority

HOST = "bank.example"
AUTHORITY = Authority()


def post(way: Outbound, path: str = "/snap/v1.0/ping", *, bytes_max: int = 4096) -> Answer:
    """One POST."""
    return way.post(path, {"X-Test": "1"}, b"{}", bytes_max=bytes_max)


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("8.8.8.8", True, True),
        ("2001:4860:4860::8888", True, True),
        ("10.1.2.3", False, True),
        ("172.16.0.1", False, True),
        ("192.168.1.1", False, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("fd00::1", False, True),
        ("100.64.0.1", False, True),
        ("100.127.255.255", False, True),
        ("192.0.2.1", False, True),
        ("198.18.0.1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("::ffff:8.8.8.8", False, True),
        ("64:ff9b::a00:1", False, True),
        ("64:ff9b::808:808", False, True),
        ("2002:a00:1::1", False, True),
        ("169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("fe80::1%eth0", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("0.0.0.0", False, False),  # noqa: S104
        ("::", False, False),
        ("255.255.255.255", False, True),
        ("nowhere", False, False),
    ],
)
def test_address_is_allowed_by_what_it_is(address: str, public: bool, private: bool) -> None:
    """Private networks only where the entry says so; link-local, multicast and none never."""
    reaches: tuple[Reach, ...] = ("public", "private", "loopback")
    found = [refusal_of(address, reach) is None for reach in reaches]
    assert [public, private, address in {"127.0.0.1", "::1"}] == found


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["10.0.0.1"], ["100.64.1.1"], ["::ffff:127.0.0.1"], ["8.8.8.8", "::1"]]
)
def test_private_address_is_refused_before_anything_is_sent(found: list[str]) -> None:
    """One wrong address refuses the name, however good the others are."""
    with serving(Bank()) as bank:
        connection = connect(base_url=f"https://{HOST}:{bank.port}")
        with closing(Outbound(connection, resolve=lambda *_: found)) as way:
            with pytest.raises(AddressRefusedError) as caught:
                post(way)
            assert (HOST, found[-1]) == (caught.value.host, caught.value.address)
    assert 0 == bank.connections


def test_simulator_that_is_elsewhere_is_refused() -> None:
    """Clear text leaves this machine for no name, whatever it leads to."""
    with serving(Bank()) as bank:
        connection = connect(simulator=True, base_url=f"http://{HOST}:{bank.port}")
        for found in ("10.0.0.1", "8.8.8.8"):
            way = Outbound(connection, resolve=lambda *_, found=found: [found])
            with closing(way), pytest.raises(AddressRefusedError, match="simulator"):
                post(way)
        with closing(Outbound(connection, resolve=lambda *_: ["127.0.0.1"])) as way:
            assert 200 == post(way).http_status
    assert f"{HOST}:{bank.port}" == bank.calls[0].headers["host"]


def secure(bank: Bank, *, resolve: Resolver | None = None, ca: bytes = b"") -> Outbound:
    """The way to a bank by its name, whose address is given by *resolve*."""
    connection = connect(
        base_url=f"https://{HOST}:{bank.port}",
        private_addresses=True,
        ca_file="ca.pem",
        ca=ca or AUTHORITY.pem,
    )
    return Outbound(connection, resolve=resolve or (lambda *_: ["127.0.0.1"]))


def tls(folder: Path, host: str = HOST, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3):
    """What wraps a server's connection in TLS."""
    context = AUTHORITY.context(folder, host, newest=newest)
    return lambda found: context.wrap_socket(found, server_side=True)


def test_name_is_looked_up_once_and_its_address_is_the_one_connected_to(tmp_path: Path) -> None:
    """The certificate and the Host are the name's, the connection the checked address's."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with serving(Bank(), wrap=tls(tmp_path)) as bank, closing(secure(bank, resolve=resolve)) as way:
        assert [200, 200] == [post(way).http_status, post(way).http_status]
    assert [HOST] == asked
    assert 1 == bank.connections
    assert {f"{HOST}:{bank.port}"} == {call.headers["host"] for call in bank.calls}


def test_name_that_leads_elsewhere_later_is_refused_then(tmp_path: Path) -> None:
    """Each new connection checks the address that it is made to."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1"]])
    bank = Bank(reply=lambda _: answer(200, {}, close=True))
    way_out = lambda: secure(bank, resolve=lambda *_: next(answers))  # noqa: E731
    with serving(bank, wrap=tls(tmp_path)), closing(way_out()) as way:
        assert 200 == post(way).http_status
        with pytest.raises(AddressRefusedError, match="link-local"):
            post(way)
        assert 200 == post(way).http_status
    assert 2 == len(bank.calls)


@pytest.mark.parametrize("wrong", ["version", "host", "authority"])
def test_tls_that_is_old_or_not_the_bank_s_is_refused(tmp_path: Path, wrong: str) -> None:
    """TLS 1.2 ended on 30 June 2026; another's certificate is nobody's bank. Nothing is sent."""
    newest = ssl.TLSVersion.TLSv1_2 if wrong == "version" else ssl.TLSVersion.TLSv1_3
    host = "other.example" if wrong == "host" else HOST
    ca = Authority().pem if wrong == "authority" else AUTHORITY.pem
    with serving(Bank(), wrap=tls(tmp_path, host, newest=newest)) as bank:
        with closing(secure(bank, ca=ca)) as way, pytest.raises(BankUnreachableError) as caught:
            post(way)
        assert not caught.value.sent
    assert [] == bank.calls


def test_authorities_of_the_environment_are_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE adds no authority to those of the machine."""
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with serving(Bank(), wrap=tls(tmp_path)) as bank:
        connection = connect(base_url=f"https://{HOST}:{bank.port}", private_addresses=True)
        way = Outbound(connection, resolve=lambda *_: ["127.0.0.1"])
        with closing(way), pytest.raises(BankUnreachableError, match="certificate"):
            post(way)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_an_answer_and_never_followed(status: int) -> None:
    """What was signed for one host is sent to no other."""
    with serving(Bank()) as other, serving(Bank()) as bank:
        bank.reply = lambda _: answer(status, b"", Location=f"{other.url}/snap/v1.0/ping")
        with closing(Outbound(simulated(bank))) as way:
            assert status == post(way).http_status
    assert (1, 0) == (len(bank.calls), other.connections)


def test_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the environment leads a payment past somebody else."""
    with serving(Bank()) as other, serving(Bank()) as bank:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, other.url)
            monkeypatch.setenv(name.upper(), other.url)
        monkeypatch.delenv("no_proxy", raising=False)
        with closing(Outbound(simulated(bank))) as way:
            assert 200 == post(way).http_status
    assert (1, 0) == (len(bank.calls), other.connections)


def test_cookies_are_not_kept() -> None:
    """A call carries what we put into it."""
    bank = Bank(reply=lambda _: answer(200, {}, Set_Cookie="a=b"))
    with serving(bank), closing(Outbound(simulated(bank))) as way:
        post(way)
        post(way)
    assert not any("cookie" in call.headers for call in bank.calls)


@pytest.mark.parametrize("path", ["", "snap", "//other.example/x", "https://other.example/x"])
def test_path_that_names_a_host_is_refused(path: str) -> None:
    """A call says where on the bank's host, and nothing else."""
    with serving(Bank()) as bank:
        way = Outbound(simulated(bank))
        with closing(way), pytest.raises(ValueError, match="no path"):
            post(way, path)
    assert 0 == bank.connections


def _chunked(_: Call) -> Raw:
    return (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"400\r\n"
        + b"x" * 1024
        + b"\r\n"
    ) + b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n", False


@pytest.mark.parametrize("reply", [lambda _: answer(200, b"x" * 2048), _chunked])
def test_answer_that_is_too_long_is_given_up(reply) -> None:
    """Announced or in chunks; one byte less than the limit is read."""
    with serving(Bank(reply=reply)) as bank, closing(Outbound(simulated(bank))) as way:
        assert 2048 == len(post(way, bytes_max=2048).body)
        with pytest.raises(BankUnreachableError, match="more than 2047 bytes") as caught:
            post(way, bytes_max=2047)
        assert caught.value.sent


def test_headers_without_end_are_given_up() -> None:
    """A head of a megabyte is no answer."""
    raw = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 900) for n in range(1200))
    with serving(Bank(reply=lambda _: raw)) as bank, closing(Outbound(simulated(bank))) as way:
        with pytest.raises(BankUnreachableError) as caught:
            post(way)
        assert caught.value.sent


def test_compressed_answer_is_neither_asked_for_nor_unpacked() -> None:
    """The bytes that came are the evidence."""
    packed = b"\x1f\x8b\x08\x00rest"
    bank = Bank(reply=lambda _: answer(200, packed, Content_Encoding="gzip"))
    with serving(bank), closing(Outbound(simulated(bank))) as way:
        assert packed == post(way).body
    assert "identity" == bank.calls[0].headers["accept-encoding"]


@pytest.mark.parametrize("dripping_bytes", [16, 100])
def test_answer_that_drips_ends_at_the_deadline(dripping_bytes: int) -> None:
    """Each byte comes in time and the whole never does; nor does a silence begin a time of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            found, _ = listener.accept()
            with found:
                try:
                    for byte in (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b"x" * 99)[
                        :dripping_bytes
                    ]:
                        found.sendall(bytes([byte]))
                        time.sleep(0.05)
                    found.recv(9999)
                    found.recv(1)
                except OSError:
                    return

        threading.Thread(target=drip, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        connection = connect(
            simulator=True, base_url=url, total_seconds=1, answer_seconds=1, connect_seconds=1
        )
        began = time.monotonic()
        with closing(Outbound(connection)) as way, pytest.raises(BankUnreachableError) as caught:
            post(way)
        assert time.monotonic() - began < 1.6
        assert caught.value.sent


def test_name_that_takes_too_long_ends_at_the_deadline() -> None:
    """The system's look-up knows no deadline; the call does."""
    release = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        release.wait(10)
        return ["127.0.0.1"]

    connection = connect(connect_seconds=0.2, private_addresses=True)
    began = time.monotonic()
    way = Outbound(connection, resolve=resolve)
    with closing(way), pytest.raises(BankUnreachableError) as caught:
        post(way)
    release.set()
    assert time.monotonic() - began < 2
    assert not caught.value.sent


def test_next_address_is_tried_where_one_does_not_answer() -> None:
    """Nothing was sent on the first, so nothing is sent twice."""
    with serving(Bank()) as bank:
        connection = connect(simulator=True, base_url=f"http://{HOST}:{bank.port}")
        way = Outbound(connection, resolve=lambda *_: ["::1", "127.0.0.1"])
        with closing(way):
            assert 200 == post(way).http_status
    assert 1 == len(bank.calls)


def test_header_that_no_line_can_hold_is_told_without_its_text() -> None:
    """The library quotes the header in its own message; ours does not."""
    with serving(Bank()) as bank:
        way = Outbound(simulated(bank))
        with closing(way), pytest.raises(BankUnreachableError) as caught:
            way.post("/x", {"Authorization": "Bearer rahasia\r\nX: y"}, b"", bytes_max=10)
    assert "rahasia" not in str(caught.value)
    assert not caught.value.sent
    assert [] == bank.calls
