import pytest

from hythe.route.memo import Memo


def test_what_is_asked_for_twice_is_remembered():
    seen = []
    memo = Memo(lambda block: seen.append(block) or block.upper())
    assert [memo(b"a") for _ in range(5)] == [b"A"] * 5
    assert seen == [b"a", b"a"]


def test_what_never_comes_again_does_not_push_out_what_does():
    seen = []
    memo = Memo(lambda block: seen.append(block) or block.upper(), entries=10)
    for n in range(1000):
        memo(b"often")
        memo(b"%d" % n)
    assert seen.count(b"often") <= 2


def test_entries_and_bytes_are_bounded():
    few = Memo(bytes.upper, entries=3)
    small = Memo(bytes.upper, size=10)
    for n in range(200):
        few(b"%d" % (n // 2))
        small(b"%04d" % (n // 2))
        assert len(few) <= 3
        assert len(small) <= 2


def test_large_blocks_and_errors_are_not_remembered():
    memo = Memo(bytes.upper, largest=3)
    for _ in range(3):
        memo(b"aaaa")
    assert len(memo) == 0

    def fails(block: bytes) -> bytes:
        raise ValueError

    memo = Memo(fails)
    with pytest.raises(ValueError):
        memo(b"a")
    assert len(memo) == 0
