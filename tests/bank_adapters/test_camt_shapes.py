"""Entries read by their shape are the entries read element by element."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters.errors import MalformedXmlError, StatementFileError, UnreadableElementError
from bank_adapters.statements import camt_xml
from bank_adapters.statements.camt_shapes import Shapes
from bank_adapters.statements.camt_xml import Entry, read_parts
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
ODD = {
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


@pytest.fixture
def shaped(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """Grows by the pieces of each entry that is read by its shape."""
    seen: list[Sequence[str]] = []
    find = Shapes.shape

    def watched(self, pieces):
        found = find(self, pieces)
        if found is not None:
            seen.append(pieces)
        return found

    monkeypatch.setattr(Shapes, "shape", watched)
    return seen


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("size", [1, 97, 700, 1000])
def test_entry_in_any_surroundings_is_what_its_elements_say(odd, size, shaped):
    """Whatever stands among plain entries: fields, order and text are those of the whole file."""
    data = camt(statement(*[PLAIN] * 5, odd, *[PLAIN, "\n  "] * 5, odd, odd, *[PLAIN] * 5))

    assert entries_of(data, len(data)) == entries_of(data, size)
    assert (size >= 700) == bool(shaped)


@pytest.mark.parametrize("size", [1, 97, 700, 1000, 10**6])
def test_entry_with_text_beside_its_elements_is_refused_in_any_pieces(size):
    """However the message is cut, and whatever shapes are known by then: the entry is named."""
    mixed = entry(inner="<Sts>no<Cd>x</Cd>PDNG</Sts>", status="")
    data = camt(statement(*[PLAIN] * 20, mixed, *[PLAIN] * 5))

    with pytest.raises(UnreadableElementError, match="entry 21: Sts 'no': text and elements"):
        entries_of(data, size)


@pytest.mark.parametrize("markup", MARKUP.values(), ids=MARKUP)
@pytest.mark.parametrize("size", [97, 700, 1000])
def test_entry_within_a_comment_is_none(markup, size):
    """Comments, instructions and CDATA hold text only, however they are cut."""
    text = markup.format(inner=PLAIN.removeprefix("<Ntry>").removesuffix("</Ntry>"))
    data = camt(statement(*[PLAIN] * 9, text, *[PLAIN] * 9))

    assert 18 == len(entries_of(data, size))
    assert entries_of(data, len(data)) == entries_of(data, size)


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

    with pytest.raises(MalformedXmlError) as whole:
        entries_of(data, len(data))
    with pytest.raises(MalformedXmlError) as cut:
        entries_of(data, 1000)
    assert (whole.value.position, str(whole.value)) == (cut.value.position, str(cut.value))
    assert shaped


def test_entry_with_prefixes_has_a_shape(shaped):
    """The names of a message may all have one prefix."""
    data = camt(statement(*[PLAIN] * 20), root="xmlns:n='urn:iso:std:iso:20022:tech:xsd:camt.053'")
    start, _, body = data.decode().partition("?>")
    prefixed = (
        f"{start}?>{body.replace('</', '~').replace('<', '<n:').replace('~', '</n:')}".encode()
    )

    found = entries_of(prefixed, 700)

    assert [each.fields for each in entries_of(prefixed, len(prefixed))] == [
        each.fields for each in found
    ]
    assert "1250.00" == found[-1].fields["Amt"]
    assert len(shaped) >= 10


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
    data = camt(statement(PLAIN, *made, *made))

    def read(size: int) -> object:
        try:
            return entries_of(data, size)
        except StatementFileError as refused:
            return type(refused), str(refused)

    assert read(len(data)) == read(size)


def test_first_chunk_is_read_element_by_element(shaped):
    """A short message never gets so far as to have shapes."""
    data = camt(statement(*[PLAIN] * 20))
    assert len(data) < camt_xml.CHUNK_BYTES

    assert 20 == len(entries_of(data, camt_xml.CHUNK_BYTES))
    assert not shaped
