from hypothesis import given, settings
from hypothesis import strategies as st

from hythe.route.frames import CLOSE_TO_CLIENT, CLOSE_TO_SERVER, FrameTracker


def frame(size: int, masked: bool, opcode: int = 2) -> bytes:
    mask = 0x80 if masked else 0
    if size < 126:
        head = bytes([0x80 | opcode, mask | size])
    elif size < 65536:
        head = bytes([0x80 | opcode, mask | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, mask | 127]) + size.to_bytes(8, "big")
    return head + (b"mask" if masked else b"") + b"x" * size


sizes = st.sampled_from([0, 1, 125, 126, 127, 300, 65535, 65536])
steps = st.one_of(st.integers(17, 70000), st.just(1))


@settings(deadline=None)
@given(st.lists(st.tuples(sizes, st.booleans()), min_size=1, max_size=4), steps)
def test_a_tracker_knows_where_frames_end_however_the_stream_is_cut(frames, step):
    wire = b"".join(frame(size, masked) for size, masked in frames)
    ends = set()
    at = 0
    for size, masked in frames:
        at += len(frame(size, masked))
        ends.add(at)
    tracker = FrameTracker()
    for start in range(0, len(wire), step):
        tracker.feed(wire[start : start + step])
        assert tracker.between == (min(start + step, len(wire)) in ends)


def test_feed_frame_takes_no_more_than_the_open_frame():
    wire = frame(300, masked=False)
    tracker = FrameTracker()
    tracker.feed(wire[:1])
    assert tracker.feed_frame(wire[1:] + b"next") == wire[1:]
    assert tracker.between


def test_close_frames_are_seen():
    for close in (CLOSE_TO_CLIENT, CLOSE_TO_SERVER):
        tracker = FrameTracker()
        tracker.feed(close)
        assert tracker.closed
        assert tracker.between
