"""Entries read by their shape are the entries read element by element."""

from __future__ import annotations

from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters.errors import MalformedXmlError, StatementFileError, UnreadableElementError
from bank_adapters.statements import camt_shapes
from bank_adapters.statements.camt import read_camt
from bank_adapters.statements.camt_shapes import Shapes
from bank_adapters.statements.camt_xml import CHUNK_BYTES, Entry, read_parts
from tests.bank_adapters.camt_messages import camt, details, entry, statement

PLAIN = entry(
    "1250.00",
    inner="<AcctSvcrRef>FT1</AcctSvcrRef>"
    + details("<Refs><EndToEndId>SP2D-1</EndToEndId></Refs><RmtInf><Ustrd>LS</Ustrd></RmtInf>"),
)
BATCH = entry(
    "3.00",
    inner="<NtryDtls><Btch><PmtInfId>P1</PmtInfId></Btch>"
    "<TxDtls><Amt Ccy='IDR'>1.00</Amt><RmtInf><Ustrd>a</Ustrd><Ustrd> </Ustrd></RmtInf></TxDtls>"
    "<TxDtls><Amt Ccy='IDR'>2.00</Amt></TxDtls></NtryDtls>",
)
BATCHES = entry(
    "3.00",
    inner="<NtryDtls><TxDtls><Amt Ccy='IDR'>1.00</Amt></TxDtls></NtryDtls>\n<NtryDtls>a"
    "<TxDtls><Amt Ccy='IDR'>2.00</Amt><RmtInf><Ustrd>P &amp; Q</Ustrd></RmtInf></TxDtls>b"
    "<TxDtls/><Xtra><TxDtls><Amt Ccy='IDR'>7.00</Amt></TxDtls></Xtra></NtryDtls>",
)
ODD = {
    "a status by its code": entry(status="<Sts> <Cd>BOOK</Cd>\n</Sts>"),
    "no status within": entry(status="<Sts></Sts><Sts/>"),
    "several batches": BATCHES,
    "batches, one with an empty one": BATCHES.replace("<TxDtls/>", ""),
    "batches, the others elsewhere": BATCHES.replace("NtryDtls", "Xtra", 2),
    "batches without an end": BATCHES.replace("<TxDtls/>", "<Xtra></TxDtls></Xtra>"),
    "a number for a character": entry(inner="<AddtlNtryInf>A&#38;B &#x20;</AddtlNtryInf>"),
    "an entity of an entity": entry(inner="<AddtlNtryInf>&amp;lt; &quot;&apos;</AddtlNtryInf>"),
    "an entity that nobody defined": entry(inner="<AddtlNtryInf>&rupiah;</AddtlNtryInf>"),
    "the same in a text that nobody wants": entry(inner="<Xtra>&rupiah;</Xtra>"),
    "old line ends": entry(inner="<AddtlNtryInf>a\rb</AddtlNtryInf>\r"),
    "a comment": entry(inner="<AddtlNtryInf>a<!-- > < -->b</AddtlNtryInf>"),
    "characters": entry(inner="<AddtlNtryInf><![CDATA[a & <b>]]></AddtlNtryInf>"),
    "a currency alone": entry().replace(">1.00</Amt>", "/>"),
    "an amount twice": entry(inner="<Amt Ccy='USD'>1.00</Amt>"),
    "an amount twice, once empty": entry(inner="<Amt Ccy='USD'/>"),
    "a value that is no entry's": entry(inner="<NtryDtls><TxDtls/></NtryDtls>"),
    "a text with a bracket": entry(inner="<AddtlNtryInf>a > b</AddtlNtryInf>"),
    "a text that looks like tags": entry(inner="<AddtlNtryInf>a>/Amt>b>/Sts>c</AddtlNtryInf>"),
    "an entity": entry(inner="<AddtlNtryInf>A &amp; B &lt;C&#62;</AddtlNtryInf>"),
    "an empty element": entry(inner="<AddtlNtryInf/>"),
    "a blank text": entry(inner="<AddtlNtryInf>  </AddtlNtryInf>"),
    "a tab before the bracket": entry(inner="<AddtlNtryInf\t>x</AddtlNtryInf >"),
    "another attribute": entry(inner="<AddtlNtryInf xml:lang='id'>x</AddtlNtryInf>"),
    "another namespace": entry(inner="<AddtlNtryInf xmlns='urn:x'>x</AddtlNtryInf>"),
    "line ends of DOS": entry(inner="<AddtlNtryInf>a\r\nb</AddtlNtryInf>\r\n"),
    "a batch": BATCH,
    "an element that nobody knows": entry(inner="<Xtra><Amt Ccy='USD'>9</Amt></Xtra>"),
    "text before the next entry": f"{PLAIN}between",
}
MARKUP = {
    "a comment": "<!-- <Ntry>{inner}</Ntry> -->",
    "a comment with a tag": "<!-- <b> <Ntry>{inner}</Ntry> -->",
    "an instruction": "<?bank <Ntry>{inner}</Ntry> ?>",
    "characters": "<![CDATA[ <b> <Ntry>{inner}</Ntry> ]]>",
}


def entries_of(data: bytes, size: int) -> list[Entry]:
    """The entries, the message given in pieces of *size* bytes."""
    pieces = [data[n : n + size] for n in range(0, len(data), size)]
    return [part for part in read_parts(pieces) if isinstance(part, Entry)]


def by_elements():
    """While it lasts, no entry has a shape."""
    return patch.object(Shapes, "read", lambda _self, _raw: None)


def outcome(data: bytes, size: int | None = None) -> object:
    """The entries, or the refusal; element by element where no size is given."""
    try:
        if size is None:
            with by_elements():
                return entries_of(data, len(data))
        return entries_of(data, size)
    except StatementFileError as refused:
        return type(refused), str(refused), refused.position


@pytest.fixture
def shaped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by the text of each entry that is read by its shape."""
    seen: list[str] = []
    read = Shapes.read

    def watched(self, raw):
        found = read(self, raw)
        if found is not None:
            seen.append(raw)
        return found

    monkeypatch.setattr(Shapes, "read", watched)
    return seen


@pytest.mark.parametrize("repeats", [2, 250])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_entry_in_any_surroundings_is_what_its_elements_say(odd, repeats, shaped):
    """Whatever stands among plain entries: fields, order and text are those of the elements."""
    data = camt(statement(*[PLAIN] * 5, odd, *[PLAIN, odd, "\n  "] * repeats, odd, *[PLAIN] * 5))
    expected = outcome(data)

    for size in [10**6] if repeats > 2 else [1, 97, 700, 1000, 10**6]:
        del shaped[:]
        assert expected == outcome(data, size)
        assert (size >= 700) == bool(shaped)


@pytest.mark.parametrize("size", [1, 97, 700, 1000, 10**6])
def test_entry_with_text_beside_its_elements_is_refused_in_any_pieces(size):
    """However the message is cut, and whatever shapes are known by then: the entry is named."""
    mixed = entry(inner="<Sts>no<Cd>x</Cd>PDNG</Sts>", status="")
    data = camt(statement(*[PLAIN] * 20, mixed, *[PLAIN] * 5))

    with pytest.raises(UnreadableElementError, match="entry 21: Sts 'no': text and elements"):
        entries_of(data, size)


@pytest.mark.parametrize("markup", MARKUP.values(), ids=MARKUP)
@pytest.mark.parametrize("size", [97, 700, 1000, 10**6])
def test_entry_within_a_comment_is_none(markup, size):
    """Comments, instructions and CDATA hold text only, however they are cut."""
    text = markup.format(inner=PLAIN.removeprefix("<Ntry>").removesuffix("</Ntry>"))
    data = camt(statement(text, *[PLAIN] * 8, text, PLAIN, f"<Xtra>{text}</Xtra>", *[PLAIN] * 9))

    assert 18 == len(entries_of(data, size))
    with by_elements():
        assert entries_of(data, len(data)) == entries_of(data, size)
    assert entries_of(data, 10**6) == entries_of(data, size)


@pytest.mark.parametrize(
    "entry_text",
    [
        PLAIN.replace("</Sts>", "</St>"),
        PLAIN.replace("FT1", "FT\x01"),
        PLAIN.replace("FT1", "FT]]>"),
        PLAIN.replace("<Sts>", "<Sts"),
        PLAIN.replace("<Sts>", "<Sts><Ntry>"),
    ],
)
def test_entry_that_is_not_well_formed_is_refused_by_its_shape_too(entry_text, shaped):
    """Expat sees every byte of an entry that has the shape of others."""
    data = camt(statement(*[PLAIN] * 9, entry_text, *[PLAIN] * 9))

    with by_elements(), pytest.raises(MalformedXmlError) as whole:
        entries_of(data, len(data))
    for size in (1000, 10**6):
        with pytest.raises(MalformedXmlError) as cut:
            entries_of(data, size)
        assert (whole.value.position, str(whole.value)) == (cut.value.position, str(cut.value))
    assert shaped


def written(random: Random, version: int) -> str:
    """An entry with fields that banks leave out or repeat, as the schema of *version* orders them."""

    def maybe(text: str) -> str:
        return text if random.random() < 0.5 else ""

    def transaction(amount: int) -> str:
        name = f"<Nm>PT SUMBER {random.choice(['&amp;', 'DAN'])} MAKMUR</Nm>"
        party = f"<Pty>{name}</Pty>" if version >= 8 else name
        return (
            f"<TxDtls><Refs>{maybe('<MsgId>M</MsgId>')}<EndToEndId>E{amount}</EndToEndId></Refs>"
            f"<AmtDtls><TxAmt><Amt Ccy='IDR'>{amount}.00</Amt></TxAmt></AmtDtls>"
            f"{maybe('<BkTxCd><Prtry><Cd>NTRF</Cd></Prtry></BkTxCd>')}"
            f"<RltdPties>{maybe(f'<Dbtr>{party}</Dbtr>')}<Cdtr>{party}</Cdtr></RltdPties>"
            f"<RmtInf>{'<Ustrd>SP2D &gt; LS</Ustrd>' * random.randrange(3)}</RmtInf></TxDtls>"
        )

    amounts = [random.randrange(1, 10**9) for _ in range(random.choice([0, 1, 1, 1, 2, 9]))]
    inside = "".join(map(transaction, amounts))
    return (
        f"<Ntry>{maybe('<NtryRef>7</NtryRef>')}<Amt Ccy='IDR'>{sum(amounts)}.00</Amt>"
        f"<CdtDbtInd>{random.choice(['CRDT', 'DBIT'])}</CdtDbtInd>"
        f"{'<Sts><Cd>BOOK</Cd></Sts>' if version >= 4 else '<Sts>BOOK</Sts>'}"
        "<BookgDt><DtTm>2026-02-09T10:00:00+07:00</DtTm></BookgDt><ValDt><Dt>2026-02-09</Dt></ValDt>"
        f"{maybe('<AcctSvcrRef>FT1</AcctSvcrRef>')}<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>"
        "<SubFmlyCd>OTHR</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"{f'<NtryDtls>{inside}</NtryDtls>' if inside else maybe('<NtryDtls/>')}"
        f"{maybe('<AddtlNtryInf>biaya</AddtlNtryInf>')}</Ntry>"
    )


def indented(text: str, end: str) -> str:
    """Each tag that follows another on a line of its own."""
    return text.replace("><", f">{end}    <")


WRITINGS = {
    "in one line": lambda text: text,
    "indented": lambda text: indented(text, "\n"),
    "indented with line ends of DOS": lambda text: indented(text, "\r\n"),
    "with a prefix": lambda text: (
        text.replace("</", "~").replace("<", "<ns2:").replace("~", "</ns2:")
        .replace("<ns2:?", "<?").replace(" xmlns=", " xmlns:ns2=")
    ),
    "behind a comment": lambda text: text.replace("?>", "?><!-- Bank -->", 1),
    "in Latin": lambda text: text.replace("UTF-8", "ISO-8859-1"),
}  # fmt: skip


@pytest.mark.parametrize("writing", WRITINGS.values(), ids=WRITINGS)
@pytest.mark.parametrize(("message", "version"), [("053", 2), ("053", 8), ("052", 6), ("054", 13)])
def test_entries_of_many_banks_are_read_by_their_shapes(message, version, writing, shaped):
    """However a bank orders and prints its entries, all but the first one need no element of theirs."""
    random = Random(version)
    entries = [written(random, version) for _ in range(200)]
    data = camt(statement(*entries, message=message), message=message, version=f"{version:02d}")
    data = writing(data.decode()).encode()

    assert len(data) < CHUNK_BYTES

    found = read_camt(data)

    assert len(entries) - 1 == len(shaped)
    with by_elements():
        assert read_camt(data) == found
    assert any(line.sub_entries for line in found[0][0].lines)


def test_shape_that_is_met_often_is_read_by_a_pattern(monkeypatch):
    """Entries of a few kinds are no longer cut at each tag; those that need a second look are."""
    cut: list[str] = []
    read = Shapes._read

    def watched(self, raw):
        cut.append(raw)
        return read(self, raw)

    monkeypatch.setattr(Shapes, "_read", watched)
    padded = PLAIN.replace("FT1", "FT1 ")
    named = PLAIN.replace("FT1", "A &amp; B")
    data = camt(statement(*[PLAIN, BATCH] * 300, padded, named))

    found = entries_of(data, len(data))

    assert ["FT1", "A & B"] == [each.fields["AcctSvcrRef"] for each in found[600:]]
    assert 100 == cut.count(PLAIN)
    assert [1, 0] == [cut.count(padded), cut.count(named)]


@pytest.mark.parametrize("inner", ["<![CDATA[a]]>", "<!-- a -->", "&#65;"])
def test_entry_of_its_own_kind_leaves_the_others_their_shapes(inner, shaped):
    """What one entry holds within takes the shape from no other."""
    own = entry(inner=f"<AddtlNtryInf>{inner}</AddtlNtryInf>")
    data = camt(statement(PLAIN, *[PLAIN, PLAIN, own, PLAIN] * 20))

    assert 81 == len(entries_of(data, len(data)))
    assert 60 == len(shaped)


def test_entry_within_an_entry_is_no_entry():
    """A name is what it is only in its place: below the statement."""
    data = camt(statement(*[PLAIN] * 9, f"<Xtra>{PLAIN}</Xtra>", *[PLAIN] * 9))

    assert 18 == len(entries_of(data, 700))


def test_shapes_of_batches_of_every_length_are_not_kept_without_end(monkeypatch):
    """A message of a thousand shapes and more is read, and keeps no more of them."""
    made: list[Shapes] = []
    start = Shapes.__init__

    def watched(self, *given):
        start(self, *given)
        made.append(self)

    monkeypatch.setattr(Shapes, "__init__", watched)
    transaction = "<RmtInf><Ustrd>a</Ustrd></RmtInf>"
    entries = [entry(f"{n}.00", inner=f"<A>{'<B></B>' * (n % 1200)}</A>") for n in range(2400)]
    entries += [entry("1.00", inner=details(*[transaction] * 100)) for _ in range(20)]
    data = camt(statement(PLAIN, *entries))

    assert 2421 == len(entries_of(data, 100_000))
    (shapes,) = made
    assert len(shapes._known) <= 1000
    assert max(map(len, shapes._known)) <= 400


texts = st.text(st.sampled_from("ab <>/&;\r\n\t'\"é]"), max_size=12)
inners = st.lists(
    st.tuples(
        st.sampled_from(["AddtlNtryInf", "AcctSvcrRef", "Sts", "A", "NtryDtls", "TxDtls"]), texts
    ),
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(inners, min_size=1, max_size=6), st.integers(60, 900), st.booleans())
def test_message_of_any_entries_is_read_alike_in_any_pieces(drawn, size, is_escaped):
    """Fields, texts and refusals do not depend on the way an entry is read."""
    made = []
    for inner in drawn:
        text = "".join(
            f"<{name}>{value.replace('&', '&amp;').replace('<', '&lt;') if is_escaped else value}</{name}>"
            for name, value in inner
        )
        made += [entry(inner=text), PLAIN]
    data = camt(statement(PLAIN, *made * 3))

    expected = outcome(data)
    assert expected == outcome(data, size)
    with patch.object(camt_shapes, "_USES_TO_COMPILE", 2):
        assert expected == outcome(data, len(data))
