import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hythe.route.body import BadBody, ChunkedBody, EndlessBody, LengthBody, chunk


def decode(wire: bytes, cuts: list[int]) -> tuple[bytes, bytes, bool]:
    body = ChunkedBody()
    edges = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    payload = b""
    for start, end in itertools.pairwise(edges):
        part, rest = body.feed(wire[start:end])
        payload += part
        if body.done:
            return payload, rest + wire[end:], True
    return payload, b"", body.done


@settings(deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.integers(0, 10_000), max_size=12),
    st.binary(max_size=20),
)
def test_chunks_decode_the_same_wherever_the_stream_is_cut(pieces, cuts, after):
    wire = b"".join(chunk(piece) for piece in pieces) + b"0\r\nTrailer: dropped\r\n\r\n" + after
    assert decode(wire, cuts) == (b"".join(pieces), after, True)


def test_extensions_and_leading_zeros_are_dropped():
    assert decode(b'0003;a=b;c="d"\r\nabc\r\n000\r\n\r\n', [])[0] == b"abc"


@pytest.mark.parametrize(
    "wire",
    [
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b" 1\r\n",
        b"1 \r\na",
        b"1\na\r\n",
        b"\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n",
        b"ffffffffffffffff\r\n",
        b"11111111111111111\r\n",
        b"1;" + b"x" * 5000 + b"\r\n",
        b"0\r\nno colon\r\n",
        b"0\r\n" + b"A: " + b"b" * 4000 + b"\r\n" + (b"A: " + b"b" * 4000 + b"\r\n") * 5,
    ],
)
def test_broken_chunk_framing_is_refused(wire: bytes):
    with pytest.raises(BadBody):
        ChunkedBody().feed(wire)


def test_an_empty_payload_is_never_a_chunk():
    assert chunk(b"") == b""


def test_length_body_ends_exactly_and_passes_whole_data_by_reference():
    body = LengthBody(5)
    data = b"abc"
    assert body.feed(data)[0] is data
    assert body.feed(b"deGET /") == (b"de", b"GET /")
    assert body.done


def test_endless_body_never_ends_by_itself():
    body = EndlessBody()
    assert body.feed(b"abc") == (b"abc", b"")
    assert not body.done
