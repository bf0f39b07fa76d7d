from __future__ import annotations

import pytest
from fleetlog_query.web.envelopes import END, EnvelopeInvalid, envelope, messages_in
from fleetlog_query.web.live_frames import Cancel, FrameInvalid, Opening, frame, parse_frame
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_messages_come_out_of_their_envelopes_as_they_went_in(messages: list[bytes]) -> None:
    assert list(messages_in(b"".join(map(envelope, messages)))) == messages


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=3), st.data())
def test_a_body_that_is_cut_gives_whole_messages_or_says_so(messages: list[bytes], data: st.DataObject) -> None:
    body = b"".join(map(envelope, messages))
    cut = body[: data.draw(st.integers(0, len(body)))]
    try:
        found = list(messages_in(cut))
    except EnvelopeInvalid:
        return
    assert found == messages[: len(found)]


@pytest.mark.parametrize("flags", [0x01, END, 0x80])
def test_a_request_has_plain_messages_alone(flags: int) -> None:
    with pytest.raises(EnvelopeInvalid):
        list(messages_in(envelope(b"x", flags)))


def test_a_live_stream_is_opened_by_its_path_and_ended_by_its_number() -> None:
    path = b"fleetlog.v1.QueryService/WatchRuns"
    opening = b"\0\0\0\7\0" + bytes([len(path)]) + path + b"request"
    assert parse_frame(opening) == Opening(7, "/" + path.decode(), b"request")
    assert parse_frame(b"\0\0\0\7\1") == Cancel(7)
    assert frame(7, 0, b"answer") == b"\0\0\0\7\0answer"


@pytest.mark.parametrize("data", [b"", b"\0\0\0\1", b"\0\0\0\1\2", b"\0\0\0\1\0", b"\0\0\0\1\0\5abc"])
def test_what_is_no_live_frame_is_refused(data: bytes) -> None:
    with pytest.raises(FrameInvalid):
        parse_frame(data)
