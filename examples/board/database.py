"""The few words of Redis that the board needs, https://redis.io/docs/latest/develop/reference/protocol-spec/."""

import os
import socket


def ask(*words: str):
    """One command, one answer. Raises ConnectionError when the database is away, ValueError when it refuses."""
    address = (os.environ["HOLM_SERVICE_DB_HOST"], int(os.environ["HOLM_SERVICE_DB_PORT"]))
    with socket.create_connection(address, timeout=10) as connection, connection.makefile("rwb") as stream:
        stream.write(b"*%d\r\n" % len(words))
        for word in words:
            data = word.encode()
            stream.write(b"$%d\r\n%s\r\n" % (len(data), data))
        stream.flush()
        return read(stream)


def read(stream):
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the database went away in the middle of an answer")
    kind, rest = line[:1], line[1:-2].decode()
    if kind == b"-":
        raise ValueError(rest)
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()
    if kind == b"*":
        return [read(stream) for _ in range(int(rest))]
    return rest
