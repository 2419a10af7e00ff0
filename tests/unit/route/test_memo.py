import pytest

from hythe.route.memo import Memo


def test_a_block_is_parsed_once():
    seen = []
    memo = Memo(lambda block: seen.append(block) or block.upper())
    assert memo(b"a") == memo(b"a") == b"A"
    assert seen == [b"a"]


def test_entries_and_bytes_are_bounded():
    few = Memo(bytes.upper, entries=3)
    small = Memo(bytes.upper, size=10)
    for n in range(100):
        few(b"%d" % n)
        small(b"%04d" % n)
        assert len(few) <= 3
        assert len(small) <= 2


def test_large_blocks_and_errors_are_not_remembered():
    memo = Memo(bytes.upper, largest=3)
    memo(b"aaaa")
    assert len(memo) == 0

    def fails(block: bytes) -> bytes:
        raise ValueError

    memo = Memo(fails)
    with pytest.raises(ValueError):
        memo(b"a")
    assert len(memo) == 0
