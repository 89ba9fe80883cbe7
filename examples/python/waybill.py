"""A client for the message broker Waybill, written from spec/protocol.md alone; nothing but the standard library.

    with connect('localhost', 7670) as connection:
        channel = connection.channel()
        channel.declare_queue('work')
        channel.publish(Message(b'hello', routing_key='work')).result(5)      # Taken, or a WaybillError
        for delivery in channel.consume('work', prefetch=10):
            print(delivery.message.body)
            delivery.ack()

One thread reads the socket all the time [P-7.3], a second one sends heartbeats [P-7.1], so a program that computes for long keeps its
connection. Any thread may call anything; callbacks of futures run in the thread that reads and must not wait.
"""
import itertools
import socket
import threading
import time
from concurrent import futures
from typing import Any, Dict, Optional

from channel import Channel, Consumer, Delivery, Taken, new_future, settle
from codec import (ERROR, HEARTBEAT, PREFACE, REQUESTS, RESULT, STATUS, Frame, FrameReader, Message, SettleEntry, WaybillError,
                   check_preface, decode_error, decode_json, decode_pushed, encode_frame, encode_json, require)

__all__ = ['Channel', 'Connection', 'Consumer', 'Delivery', 'Message', 'SettleEntry', 'Taken', 'WaybillError', 'connect']


def connect(host: str = 'localhost', port: int = 7670, *, timeout: float = 10, **hello) -> 'Connection':
    """Connects and says HELLO with these fields of clause 6.1: user, password, vhost, heartbeatMs.

    `timeout` (s) holds for this and for each request. Raises OSError, or a WaybillError that says why the broker refuses.
    """
    stream = socket.create_connection((host, port), timeout)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Connection(stream, timeout, hello)


class Connection:
    """One socket. Invariant: once `error` is set everything that waited has failed with it, and every further call raises it."""

    def __init__(self, stream: socket.socket, timeout: float, hello: Dict[str, Any]):
        self.error: Optional[WaybillError] = None
        self.blocked: Optional[str] = None        # why the broker gives no credit [P-6.3]
        self.draining_ms: Optional[int] = None    # the broker goes away within this many ms
        self.timeout = timeout
        self.changed = threading.Condition()      # guards the state of the connection and of its channels
        self._stream, self._frames = stream, FrameReader()
        self._writing = threading.Lock()
        self._correlations = itertools.count(1)
        self._pending: Dict[int, tuple] = {}      # correlation: (channel, Future)
        self._channels: Dict[int, 'Channel'] = {}
        self._ended = threading.Event()
        self._wrote_at = self._read_at = time.monotonic()
        try:
            self._greet(hello)
        except BaseException:
            stream.close()
            raise
        threading.Thread(target=self._read_all, name='waybill reader', daemon=True).start()
        if self.heartbeat_ms:
            threading.Thread(target=self._beat, name='waybill heartbeat', daemon=True).start()

    def channel(self) -> 'Channel':
        """Opens a channel: an order, a credit and a table of deliveries of its own [P-2.4]."""
        with self.changed:
            free = (number for number in itertools.islice(self._numbers, self._number_max) if number not in self._channels)
            number = next(free, self._number_max + 1)  # the broker has the last word: limitExceeded
            channel = self._channels[number] = Channel(self, number)
        try:
            answer = self.request('OPEN', number)
            require(answer, creditSequence=int, creditSize=int)
        except BaseException as error:
            channel.end(error)
            raise
        channel.raise_credit(answer['creditSequence'], answer['creditSize'])
        return channel

    def request(self, name: str, channel: int = 0, *, extra_s: float = 0, **fields) -> Dict[str, Any]:
        """One control message of clause 6 and its answer; fields have the names that stand there."""
        return self.ask(REQUESTS[name], channel, encode_json(fields), self.timeout + extra_s)

    def close(self):
        """Says CLOSE, waits for the answer, ends the socket [P-12.6]."""
        try:
            if self.error is None:
                self.request('CLOSE')
        finally:
            self._end(WaybillError('connectionLost', 'this connection was closed here', retryable=False))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, kind: int, channel: int, body: bytes, timeout: float) -> Dict[str, Any]:
        future = new_future()
        with self.changed:
            self.check()
            correlation = next(self._correlations)
            self._pending[correlation] = (channel, future)
        self.send(encode_frame(kind, channel, body, correlation=correlation))
        try:
            return future.result(timeout)
        except futures.TimeoutError:
            raise TimeoutError(f'no answer within {timeout} s') from None

    def send(self, data: bytes):
        self.check()
        try:
            with self._writing:
                self._stream.sendall(data)
                self._wrote_at = time.monotonic()
        except OSError as error:
            self._ended.wait(1)  # the reader may find an ERROR of the broker, which says more
            self._end(WaybillError('connectionLost', str(error)))
            self.check()

    def check(self):
        if self.error is not None:
            raise self.error

    def forget(self, number: int, error: Exception):
        """A channel has ended: nothing that waits on it will be answered any more [P-6.8]."""
        with self.changed:
            self._channels.pop(number, None)
            waiting = [correlation for correlation, (channel, _) in self._pending.items() if channel == number]
            ended = [self._pending.pop(correlation)[1] for correlation in waiting]
        for future in ended:
            settle(future, None, error)

    def _greet(self, hello: Dict[str, Any]):
        body = encode_json({'client': {'product': 'waybill-python', 'version': '0.1.0', 'platform': 'python'}, **hello})
        self._stream.sendall(PREFACE + encode_frame(REQUESTS['HELLO'], 0, body, correlation=next(self._correlations)))
        data = b''
        while len(data) < 8:
            piece = self._stream.recv(4096)
            if not piece:
                break
            data += piece
        check_preface(data)
        self._frames.feed(data[8:])
        while True:
            frame = self._next_frame()
            if frame.type == ERROR:
                raise decode_error(decode_json(frame.body))
            if frame.type == RESULT:
                break
        answer = decode_json(frame.body)
        require(answer, log=str, heartbeatMs=int, keeps=('nothing', 'disk'), limits=dict, blocked=('memory', 'disk', 'limit', None))
        require(answer['limits'], frameSizeMax=int, messageSizeMax=int, channelCountMax=int)
        self.log, self.heartbeat_ms, self.keeps, self.blocked = answer['log'], answer['heartbeatMs'], answer['keeps'], answer['blocked']
        self.limits = answer['limits']
        self._frames.size_max = self.limits['frameSizeMax']
        self._number_max = self.limits['channelCountMax']
        self._numbers = itertools.cycle(range(1, self._number_max + 1))
        self._stream.settimeout(None)

    def _next_frame(self) -> Frame:
        while True:
            try:
                frame = self._frames.next()
            except WaybillError as error:
                if error.name == 'unsupported':
                    continue  # a type that is not known is dropped [P-2.6]
                raise
            if frame:
                return frame
            data = self._stream.recv(65536)
            if not data:
                raise WaybillError('connectionLost', 'the broker has ended the connection')
            self._read_at = time.monotonic()
            self._frames.feed(data)

    def _read_all(self):
        try:
            while True:
                self._take(self._next_frame())
        except WaybillError as error:
            self._end(error)
        except Exception as error:
            self._end(WaybillError('connectionLost', repr(error)))

    def _take(self, frame: Frame):
        channel = self._channels.get(frame.channel)
        if frame.type in (RESULT, ERROR):
            value = decode_json(frame.body)
            error = decode_error(value) if frame.type == ERROR else None
            with self.changed:
                _, future = self._pending.pop(frame.correlation, (0, None))
            if error and error.scope == 'connection':
                raise error
            if error and channel and (future or not frame.correlation):  # else it answers what an earlier channel of this number has asked
                channel.take_error(error, answers=future is not None)
            if future:
                settle(future, value, error)
        elif frame.type == STATUS:
            value = decode_pushed(frame)
            self.blocked = value.get('reason', None if value['state'] == 'unblocked' else self.blocked)
            self.draining_ms = value.get('deadlineMs', self.draining_ms)
        elif channel:
            channel.take(frame)

    def _beat(self):
        interval = self.heartbeat_ms / 1000
        while not self._ended.wait(interval / 4):
            now = time.monotonic()
            if now - self._read_at > 2 * interval:
                self._end(WaybillError('heartbeatTimeout', f'nothing came for {2 * interval} s', scope='connection'))
            elif now - self._wrote_at >= interval / 2:
                try:
                    self.send(encode_frame(HEARTBEAT, 0))
                except WaybillError:
                    return

    def _end(self, error: WaybillError):
        with self.changed:
            if self.error is not None:
                return
            self.error = error
            channels = list(self._channels.values())
        self._ended.set()
        for channel in channels:
            channel.end(error)
        self.forget(0, error)
        try:
            self._stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._stream.close()
