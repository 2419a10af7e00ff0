from hythe.run.listening import parse

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
