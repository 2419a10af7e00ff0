from hythe.run.listening import advice, parse

PROC = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0B00007F:A3C5 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   2: 0100007F:1F40 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 1 1
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0
"""


def test_listening_sockets_without_the_engines_resolver() -> None:
    assert parse(PROC) == ["[::]:80", "127.0.0.1:8000"]


def test_output_that_is_not_a_table_gives_nothing() -> None:
    assert parse("cat: /proc/net/tcp6: No such file or directory\n") == []


def test_advice_tells_a_wrong_address_from_a_slow_boot() -> None:
    assert advice([], 5000) is None
    wrong = advice(["127.0.0.1:8123"], 5000)
    assert wrong == "It listens on 127.0.0.1:8123: listen on 0.0.0.0:$PORT (here 5000)."
    for late in ("0.0.0.0:5000", "[::]:5000"):
        assert "HYTHE_BOOT_TIMEOUT" in str(advice([late, "127.0.0.1:9"], 5000))
    assert "$PORT" in str(advice(["127.0.0.1:5000"], 5000))
