#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What curl cannot say over HTTP/2: many streams at once, gRPC, and what no client sends.

http2.py serve PORT...            a gRPC server that says hello
http2.py call HOST:PORT METHOD    one gRPC call
http2.py beside HOST:PORT METHOD  the same beside one of /helloworld.Greeter/SayHello that takes a second, on one connection
http2.py many HOST N DENIED       N streams at once; number DENIED (from 1, 0: none) asks for /secret
http2.py large HOST               four large bodies at once, and /secret when their heads are there
http2.py smuggle HOST             a content-length that the body exceeds, and a line end in a value
http2.py continuation HOST        a header block without end
http2.py reset HOST               requests that are reset at once
"""
import collections
import socket
import sys
import threading
import time

PATIENCE_S = 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, CONTINUATION = 1, 3, 4, 9
END_STREAM, END_HEADERS = 1, 4
REQUEST = b"\x82\x86\x04\x03/ok\x01\x01a"  # GET http://a/ok


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def connect(host, port=80):
    return socket.create_connection((host, port), timeout=PATIENCE_S)


# ---- gRPC

def serve(*ports):
    import concurrent.futures
    import grpc

    class Anything(grpc.GenericRpcHandler):
        def service(self, details):
            return grpc.unary_unary_rpc_method_handler(answer)

    def answer(request, context):
        if request == b"slow":
            time.sleep(1)
        return b"hello"

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=(Anything(),))
    for port in ports:
        server.add_insecure_port(f"0.0.0.0:{port}")
    server.start()
    server.wait_for_termination()


def call(target, method):
    import grpc
    with grpc.insecure_channel(target) as channel:
        try:
            print(channel.unary_unary(method)(b"", timeout=PATIENCE_S).decode())
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}")


def beside(target, method):
    import grpc
    with grpc.insecure_channel(target) as channel:
        slow = channel.unary_unary("/helloworld.Greeter/SayHello").future(b"slow", timeout=PATIENCE_S)
        time.sleep(0.3)
        other = channel.unary_unary(method).future(b"", timeout=PATIENCE_S)
        for answer in (slow, other):
            error = answer.exception()
            print(f"{error.code().name}: {error.details()}" if error else answer.result().decode())


# ---- many streams

def ask(peer, paths):
    """stream: path"""
    asked = {}
    for path in paths:
        stream = peer.get_next_available_stream_id()
        asked[stream] = path
        peer.send_headers(stream, [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "a")],
                          end_stream=True)
    return asked


def many(host, n, denied):
    import h2.connection
    import h2.events
    from h2.exceptions import ProtocolError
    peer, statuses = h2.connection.H2Connection(), {}
    with connect(host) as link:
        peer.initiate_connection()
        link.sendall(peer.data_to_send())
        paths = ask(peer, ["/secret" if number == denied else "/ok" for number in range(1, n + 1)])
        link.sendall(peer.data_to_send())
        try:
            while len(statuses) < n and (data := link.recv(65536)):
                for event in peer.receive_data(data):
                    if isinstance(event, h2.events.ResponseReceived):
                        statuses[event.stream_id] = dict(event.headers)[b":status"].decode()
                link.sendall(peer.data_to_send())
        except (OSError, ProtocolError) as error:
            print(error)
    print("\n".join(f"{status}: {count}" for status, count in sorted(collections.Counter(statuses.values()).items())))
    for stream, path in paths.items():
        if path == "/secret":
            print(f"secret: {statuses.get(stream)}")


def large(host):
    import h2.connection
    import h2.events
    peer, statuses, sizes, ended = h2.connection.H2Connection(), {}, collections.Counter(), set()
    with connect(host) as link:
        peer.initiate_connection()
        # Room for all: once a request is refused nothing of the client's is heard.
        peer.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 24})
        peer.increment_flow_control_window(1 << 26)
        paths = {}
        link.sendall(peer.data_to_send())
        while not (paths and len(ended) == len(paths)) and (data := link.recv(65536)):
            for event in peer.receive_data(data):
                if isinstance(event, h2.events.SettingsAcknowledged):
                    paths = ask(peer, ["/bulk"] * 4)
                elif isinstance(event, h2.events.ResponseReceived):
                    statuses[event.stream_id] = dict(event.headers)[b":status"].decode()
                    if len(statuses) == 4:
                        paths.update(ask(peer, ["/secret"]))
                elif isinstance(event, h2.events.DataReceived):
                    sizes[event.stream_id] += len(event.data)
                elif isinstance(event, h2.events.StreamEnded):
                    ended.add(event.stream_id)
            link.sendall(peer.data_to_send())
    for stream, path in paths.items():
        print(path, statuses.get(stream), sizes[stream] if path == "/bulk" else "")


# ---- what no client sends

def until_closed(link):
    try:
        while link.recv(65536):
            pass
    except OSError:
        pass


def smuggle(host):
    long_body = b"\x83\x86\x04\x03/ok\x01\x01a\x0f\x0d\x011"  # POST, content-length: 1
    line_end = REQUEST + b"\x00\x01x\x0ab\r\nhost: c"
    for bad in (frame(HEADERS, END_HEADERS, 1, long_body) + frame(0, END_STREAM, 1, b"22"),
                frame(HEADERS, END_HEADERS | END_STREAM, 1, line_end)):
        with connect(host) as link:
            link.sendall(PREFACE + frame(SETTINGS, 0, 0) + bad)
            begin = time.monotonic()
            until_closed(link)
            if time.monotonic() - begin > PATIENCE_S - 1:
                print("open")
                return
    print("closed")


def send_all(link, pieces):
    """How many bytes of them were taken."""
    reader = threading.Thread(target=until_closed, args=(link,), daemon=True)
    reader.start()
    sent = 0
    try:
        for piece in pieces:
            link.sendall(piece)
            sent += len(piece)
    except OSError:
        pass
    return sent


def continuation(host):
    def pieces():
        yield PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_STREAM, 1, REQUEST)
        for _ in range(2000):
            yield frame(CONTINUATION, 0, 1, b"") * 500
    with connect(host) as link:
        print(f"{send_all(link, pieces())} bytes taken")


def reset(host):
    def pieces():
        yield PREFACE + frame(SETTINGS, 0, 0)
        for first in range(1, 60000, 200):
            yield b"".join(frame(HEADERS, END_HEADERS | END_STREAM, stream, REQUEST) +
                           frame(RST_STREAM, 0, stream, b"\0\0\0\x08") for stream in range(first, first + 200, 2))
    with connect(host) as link:
        print(f"{send_all(link, pieces())} bytes taken")


if __name__ == "__main__":
    what, words = sys.argv[1], sys.argv[2:]
    {"serve": serve, "call": call, "beside": beside, "many": lambda host, n, denied: many(host, int(n), int(denied)),
     "large": large, "smuggle": smuggle, "continuation": continuation, "reset": reset}[what](*words)
