"""The bytes of Waybill as clauses 2 to 6 of spec/protocol.md lay them out: messages, frames and their bodies. It knows no sockets.

What a client sends is encoded, what a server sends is decoded; `[P-4.6]` is a clause of the specification. Bytes that break a rule
raise a WaybillError with the name that spec/errors.json has for it.
"""
import base64
import json
import math
import struct
from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple, Optional

ERRORS = {  # code: (name, retryable) [P-8.1]
    312: ('unroutable', False), 320: ('shuttingDown', True), 321: ('connectionForced', False), 400: ('requestInvalid', False),
    401: ('authenticationFailed', False), 403: ('forbidden', False), 404: ('notFound', False), 405: ('resourceLocked', False),
    406: ('preconditionFailed', False), 408: ('handshakeTimeout', True), 409: ('heartbeatTimeout', True), 410: ('tagUnknown', False),
    411: ('frameTimeout', True), 412: ('outboxStalled', True), 413: ('messageTooLarge', False), 414: ('nameTooLong', False),
    420: ('creditExceeded', True), 421: ('sequenceUnexpected', False), 422: ('channelUnknown', False), 423: ('messageMalformed', False),
    424: ('propertyUnsupported', False), 425: ('levelUnavailable', False), 426: ('optionUnsupported', False), 429: ('limitExceeded', True),
    501: ('frameMalformed', False), 502: ('frameTooLarge', False), 503: ('frameUnexpected', False), 505: ('versionUnsupported', False),
    506: ('resourceExhausted', True), 507: ('storageFailed', True), 540: ('unsupported', False), 541: ('internalError', False),
}
CODES = {name: code for code, (name, _) in ERRORS.items()}


class WaybillError(Exception):
    """Something was refused. Programs look at `name` or `code`; `code` is None for what only a client knows: connectionLost, cancelled."""

    def __init__(self, name: str, message: str, *, scope='request', retryable: Optional[bool] = None, code=None, details=None):
        super().__init__(f'{name}: {message}')
        self.name, self.message, self.scope, self.details = name, message, scope, details or {}
        self.code = CODES.get(name) if code is None else code
        self.retryable = ERRORS.get(self.code, ('', name == 'connectionLost'))[1] if retryable is None else retryable


# ---- Parts ----------------------------------------------------------------------------------------------------------------------

class Parts:
    """Reads fields in wire order; what is not there, or not as clauses 0.1 and 0.3 say, raises the error it was made with."""

    def __init__(self, data: bytes, error: str, what: str):
        self.data, self.at, self.error, self.what = data, 0, error, what

    def fail(self, why: str):
        raise WaybillError(self.error, f'{self.what}: {why}')

    def check(self, holds: bool, why: str):
        if not holds:
            self.fail(why)

    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int) -> bytes:
        self.check(size <= self.left(), 'it is cut')
        self.at += size
        return self.data[self.at - size:self.at]

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode('utf-8')
        except UnicodeDecodeError:
            self.fail('text is not UTF-8')

    def fields(self, layout: str) -> tuple:
        """Big-endian fields in the letters of `struct`: B u8, H u16, I u32, Q u64, q i64, d f64."""
        values = struct.unpack('>' + layout, self.take(struct.calcsize('>' + layout)))
        self.check(all(value < 2**53 for letter, value in zip(layout, values) if letter == 'Q'), 'a u64 is above 2^53 - 1')
        return values

    def field(self, letter: str) -> Any:
        return self.fields(letter)[0]


def text_bytes(text: str, size_max: int, error: str) -> bytes:
    try:
        data = text.encode('utf-8')
    except UnicodeEncodeError:
        raise WaybillError('messageMalformed', 'text with half a surrogate pair cannot be sent') from None
    if len(data) > size_max:
        raise WaybillError(error, f'{len(data)} bytes of text where {size_max} are allowed: {text[:40]}…')
    return data


# ---- Records [P-3] --------------------------------------------------------------------------------------------------------------

PROPERTIES = ('contentType contentEncoding messageId correlationId replyTo type appId timestamp priority expirationMs deliverAt '
              'groupKey dedupeKey deadline traceparent tracestate').split()
BUILT = 0xc0ff  # the bits of PROPERTIES that this version carries [P-3.5]


@dataclass
class Message:
    """What is published. `properties` have the names of clause 3.4; `headers` are None, bool, int, float, str or bytes."""
    body: bytes = b''
    exchange: str = ''
    routing_key: str = ''
    persistent: bool = True
    properties: Dict[str, Any] = field(default_factory=dict)
    headers: Dict[str, Any] = field(default_factory=dict)


def encode_record(message: Message) -> bytes:
    exchange = text_bytes(message.exchange, 255, 'nameTooLong')
    key = text_bytes(message.routing_key, 255, 'nameTooLong')
    mask, properties = 0, b''
    for name in sorted(message.properties, key=lambda name: PROPERTIES.index(name) if name in PROPERTIES else 99):
        bit = PROPERTIES.index(name) if name in PROPERTIES else 32
        if not BUILT >> bit & 1:
            raise WaybillError('propertyUnsupported', f'property {name} is not carried')
        mask |= 1 << bit
        if name == 'timestamp':
            properties += struct.pack('>Q', message.properties[name])
        else:
            text = text_bytes(message.properties[name], 255, 'messageMalformed')
            properties += bytes([len(text)]) + text
    headers = encode_headers(message.headers)
    head = struct.pack('>BBBBIHH', 1, int(message.persistent), len(exchange), len(key), mask, len(properties), len(headers))
    record = b''.join([head, exchange, key, properties, headers, message.body])
    return struct.pack('>I', len(record)) + record


def encode_headers(headers: Dict[str, Any]) -> bytes:
    parts = []
    for name, value in headers.items():
        data = text_bytes(name, 255, 'nameTooLong')
        parts.append(bytes([len(data)]) + data)
        if value is None or isinstance(value, bool):
            parts.append(bytes([0 if value is None else 1 + value]))
        elif isinstance(value, int):
            parts.append(struct.pack('>Bq', 3, value))
        elif isinstance(value, float):
            parts.append(struct.pack('>Bd', 4, value))
        elif isinstance(value, (str, bytes)):
            data = value if isinstance(value, bytes) else text_bytes(value, 8192, 'messageMalformed')
            parts.append(struct.pack('>BH', 5 + isinstance(value, bytes), len(data)) + data)
        else:
            raise TypeError(f'header {name!r} is a {type(value).__name__}')
    encoded = b''.join(parts)
    if len(headers) > 64 or len(encoded) > 8192:
        raise WaybillError('messageMalformed', f'{len(headers)} headers of {len(encoded)} bytes: at most 64 and 8,192 [P-3.6]')
    return encoded


def decode_record(data: bytes) -> Message:
    """One record as a broker delivers it, its size field included."""
    parts = Parts(data, 'messageMalformed', 'record')
    size, form, flags, exchange_size, key_size, mask, properties_size, headers_size = parts.fields('IBBBBIHH')
    parts.check(size == len(data) - 4 and form == 1 and flags < 4, 'its size, format or flags are not known')
    exchange, key = parts.text(exchange_size), parts.text(key_size)
    properties = decode_properties(Parts(parts.take(properties_size), 'messageMalformed', 'properties'), mask)
    headers = decode_headers(Parts(parts.take(headers_size), 'messageMalformed', 'headers'))
    if flags & 2:  # BROKER_SECTION, to be skipped [P-3.2]
        parts.take(parts.field('H'))
    return Message(parts.take(parts.left()), exchange, key, bool(flags & 1), properties, headers)


def decode_properties(parts: Parts, mask: int) -> Dict[str, Any]:
    properties = {}
    for bit in range(32):
        if mask >> bit & 1:
            name = PROPERTIES[bit] if bit < 16 else f'bit {bit}'
            if not BUILT >> bit & 1:
                raise WaybillError('propertyUnsupported', f'property {name} is not carried')
            properties[name] = parts.field('Q') if name == 'timestamp' else parts.text(parts.field('B'))
    parts.check(parts.left() == 0, 'more bytes than the mask says')
    return properties


def decode_headers(parts: Parts) -> Dict[str, Any]:
    headers: Dict[str, Any] = {}
    parts.check(parts.left() <= 8192, 'more than 8,192 bytes')
    while parts.left():
        name = parts.text(parts.field('B'))
        parts.check(name != '' and name not in headers and len(headers) < 64, f'name {name!r} is empty, there twice, or the 65th')
        kind = parts.field('B')
        parts.check(kind <= 6, f'type {kind} is not known')
        if kind <= 2:
            headers[name] = (None, False, True)[kind]
        elif kind <= 4:
            headers[name] = parts.field('q' if kind == 3 else 'd')
        else:
            size = parts.field('H')
            headers[name] = parts.text(size) if kind == 5 else parts.take(size)
    return headers


def json_headers(headers: Dict[str, Any]) -> Dict[str, Any]:
    """Headers of a binding: what JSON cannot say is an object with one field [P-6.9]."""
    def value(it):
        if isinstance(it, bytes):
            return {'bytes': base64.b64encode(it).decode('ascii')}
        if isinstance(it, int) and not isinstance(it, bool) and abs(it) >= 2**53:
            return {'i64': str(it)}
        if isinstance(it, float) and not math.isfinite(it):
            return {'f64': 'NaN' if it != it else 'Infinity' if it > 0 else '-Infinity'}
        return {'f64': '-0'} if isinstance(it, float) and it == 0 and math.copysign(1, it) < 0 else it
    return {name: value(it) for name, it in headers.items()}


# ---- Frames [P-2] ---------------------------------------------------------------------------------------------------------------

PREFACE = b'WAYB\x01\x00\x00\x00'
OPENING_FRAME_SIZE_MAX = 16384
PUBLISH, DELIVER, SETTLE, CONFIRM, CREDIT, WINDOW, HEARTBEAT, RESULT, ERROR, STATUS, CANCELLED = 1, 2, 3, 4, 5, 6, 7, 0x11, 0x12, 0x15, 0x32
REQUESTS = {
    'HELLO': 0x10, 'OPEN': 0x13, 'CLOSE': 0x14, 'LIST': 0x16,
    'DECLARE_EXCHANGE': 0x20, 'CHECK_EXCHANGE': 0x21, 'DELETE_EXCHANGE': 0x22, 'BIND_EXCHANGE': 0x23, 'UNBIND_EXCHANGE': 0x24,
    'DECLARE_QUEUE': 0x28, 'CHECK_QUEUE': 0x29, 'DELETE_QUEUE': 0x2a, 'PURGE_QUEUE': 0x2b, 'BIND_QUEUE': 0x2c, 'UNBIND_QUEUE': 0x2d,
    'CONSUME': 0x30, 'CANCEL': 0x31, 'GET': 0x33,
}
FROM_SERVER = {  # type: (channels, correlated, own flags) [P-2.5]
    DELIVER: ('n', 'never', 0x06), CONFIRM: ('n', 'never', 0), CREDIT: ('n', 'never', 0), HEARTBEAT: ('0', 'never', 0),
    RESULT: ('0n', 'always', 0), ERROR: ('0n', 'maybe', 0), STATUS: ('0', 'never', 0), CANCELLED: ('n', 'never', 0),
}
KNOWN = {PUBLISH, SETTLE, WINDOW, *REQUESTS.values(), *FROM_SERVER}
OUTCOMES = {'ack': 1, 'requeue': 2, 'retry': 3, 'reject': 4}
LEVELS = {None: 0, 'received': 1, 'written': 2, 'synced': 3}
LEVEL_NAMES = {number: name for name, number in LEVELS.items()}


class Frame(NamedTuple):
    type: int
    flags: int
    channel: int
    correlation: Optional[int]
    body: bytes


class FrameReader:
    """Bytes in, in any pieces; frames of a server out. What breaks a rule of clause 2 raises, and that is the end of a connection."""

    def __init__(self):
        self.size_max = OPENING_FRAME_SIZE_MAX  # until HELLO is answered [P-2.2]
        self._buffer = bytearray()

    def feed(self, data: bytes):
        self._buffer += data

    def next(self) -> Optional[Frame]:
        if len(self._buffer) < 4:
            return None
        size = int.from_bytes(self._buffer[:4], 'big')
        if size < 4 or size > self.size_max:
            raise WaybillError('frameMalformed' if size < 4 else 'frameTooLarge', f'a frame of {size} bytes, {self.size_max} are allowed')
        if len(self._buffer) < 4 + size:
            return None
        parts = Parts(bytes(self._buffer[4:4 + size]), 'frameMalformed', 'frame')
        del self._buffer[:4 + size]
        kind, flags, channel = parts.fields('BBH')
        correlation = parts.field('I') if flags & 1 else None
        parts.check(correlation != 0, 'correlation id 0')
        check_place(kind, flags, channel)
        parts.check(kind != HEARTBEAT or not parts.left(), 'HEARTBEAT with a body')
        return Frame(kind, flags, channel, correlation, parts.take(parts.left()))


def check_place(kind: int, flags: int, channel: int):
    """Is this type one that a server sends here? [P-2.6]"""
    if kind not in KNOWN:
        raise WaybillError('unsupported', f'frame type 0x{kind:02x} is not known')
    channels, correlated, own = FROM_SERVER.get(kind, ('', 'never', 0))
    if ('n' if channel else '0') not in channels or correlated == ('never' if flags & 1 else 'always'):
        raise WaybillError('frameUnexpected', f'type 0x{kind:02x} with flags 0x{flags:02x} on channel {channel} from a server')
    if flags & ~own & 0xfe:
        raise WaybillError('frameMalformed', f'flags 0x{flags:02x} of type 0x{kind:02x}')


def encode_frame(kind: int, channel: int, body: bytes = b'', *, flags: int = 0, correlation: Optional[int] = None) -> bytes:
    head = struct.pack('>BBH', kind, flags | (correlation is not None), channel)
    if correlation is not None:
        head += struct.pack('>I', correlation)
    return struct.pack('>I', len(head) + len(body)) + head + body


def encode_json(value: Dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(',', ':'), allow_nan=False).encode('utf-8')


def decode_json(body: bytes) -> Dict[str, Any]:
    """The object that a control message is [P-6.0]. Text in it is well-formed, escapes included [P-0.3]."""
    try:
        value = json.loads(body.decode('utf-8'))
        encode_json(value)  # raises at half a surrogate pair and at NaN, which Python reads
    except (ValueError, RecursionError) as error:
        raise WaybillError('requestInvalid', f'not JSON in UTF-8: {error}') from None
    if not isinstance(value, dict):
        raise WaybillError('requestInvalid', 'not a JSON object')
    return value


def require(value: Dict[str, Any], **fields):
    """Fields that have to be there, each of a type or one of some values."""
    for name, expected in fields.items():
        it = value.get(name)
        if not (isinstance(it, expected) if isinstance(expected, type) else it in expected):
            raise WaybillError('requestInvalid', f'{name} is {it!r}')


def decode_error(value: Dict[str, Any]) -> WaybillError:
    require(value, code=int, name=str, scope=('request', 'channel', 'connection'), retryable=bool, message=str)
    return WaybillError(value['name'], value['message'], scope=value['scope'], retryable=value['retryable'], code=value['code'],
                        details=value.get('details'))


def decode_pushed(frame: Frame) -> Dict[str, Any]:
    """STATUS [P-6.3] or CANCELLED [P-5.7]."""
    value = decode_json(frame.body)
    if frame.type == CANCELLED:
        require(value, consumer=int, reason=('queue-deleted', 'refused'))
    else:
        require(value, state=('blocked', 'unblocked', 'draining'))
        require(value, **{'blocked': {'reason': ('memory', 'disk', 'limit')}, 'draining': {'deadlineMs': int}}.get(value['state'], {}))
    return value


# ---- Binary bodies [P-4, P-5] ---------------------------------------------------------------------------------------------------

class SettleEntry(NamedTuple):
    first_tag: int
    count: int = 1
    outcome: str = 'ack'
    delay_ms: Optional[int] = None
    reason: str = ''


class Deliver(NamedTuple):
    first_tag: int
    first_message_id: int
    consumer: int
    redelivered: bool
    delivery_count: int
    failure_count: int
    messages: List[Message]


class Run(NamedTuple):
    first_sequence: int
    first_message_id: int
    count: int
    queue_count: int
    level: str


class Refusal(NamedTuple):
    sequence: int
    code: int
    queue_count: int
    detail: str


class Confirm(NamedTuple):
    through: int
    credit_sequence: int
    credit_size: int
    runs: List[Run]
    exceptions: List[Refusal]


def encode_publish(first_sequence: int, records: List[bytes]) -> bytes:
    return struct.pack('>QII', first_sequence, len(records), 0) + b''.join(records)


def encode_settle(entries: List[SettleEntry]) -> bytes:
    parts = []
    for entry in entries:
        reason = text_bytes(entry.reason, 65535, 'frameMalformed')
        delay = 0xffffffff if entry.delay_ms is None else entry.delay_ms
        parts.append(struct.pack('>QIBBHI', entry.first_tag, entry.count, OUTCOMES[entry.outcome], 0, len(reason), delay) + reason)
    return b''.join(parts)


def encode_window(consumer: int, count: int, size: int) -> bytes:
    return struct.pack('>III', consumer, count, size)


def decode_deliver(frame: Frame) -> Deliver:
    parts = Parts(frame.body, 'frameMalformed', 'DELIVER')
    first_tag, first_message_id, count, consumer = parts.fields('QQII')
    redelivered, counts = frame.flags & 2, frame.flags & 4
    parts.check(count > 0 and 0 < first_tag < 2**53 - count + 1 and consumer > 0, 'no records, tag 0 or consumer 0')
    parts.check(bool(counts) or not redelivered, 'REDELIVERED without COUNTS')
    delivery_count, failure_count = parts.fields('II') if counts else (1, 0)
    records = []
    for _ in range(count):
        size = parts.field('I')
        parts.check(size >= 12, 'a record is smaller than its fields')
        parts.at -= 4
        records.append(parts.take(4 + size))
    parts.check(parts.left() == 0, 'bytes behind its records')
    messages = [decode_record(record) for record in records]
    return Deliver(first_tag, first_message_id, consumer, bool(redelivered), delivery_count, failure_count, messages)


def decode_confirm(frame: Frame) -> Confirm:
    parts = Parts(frame.body, 'frameMalformed', 'CONFIRM')
    through, credit_sequence, credit_size, run_count, exception_count = parts.fields('QQQII')
    runs, exceptions = [], []
    for _ in range(run_count):
        first, message_id, count, queue_count, level, zero = parts.fields('QQIHBB')
        parts.check(first > 0 and count > 0 and first + count - 1 <= through and level in (1, 2, 3) and zero == 0, 'a run that cannot be')
        runs.append(Run(first, message_id, count, queue_count, LEVEL_NAMES[level]))
    for _ in range(exception_count):
        sequence, code, detail_size, queue_count = parts.fields('QHHI')
        parts.check(0 < sequence <= through, 'an exception that cannot be')
        exceptions.append(Refusal(sequence, code, queue_count, parts.text(detail_size)))
    parts.check(parts.left() == 0, 'bytes behind its exceptions')
    return Confirm(through, credit_sequence, credit_size, runs, exceptions)


def decode_credit(frame: Frame) -> tuple:
    parts = Parts(frame.body, 'frameMalformed', 'CREDIT')
    credit = parts.fields('QQ')
    parts.check(parts.left() == 0, 'bytes behind it')
    return credit


def check_preface(data: bytes):
    """The server's 8 bytes [P-1.2]; whatever else comes instead is shown to the user."""
    if not data:
        raise WaybillError('connectionLost', 'the server has ended the connection before it said anything')
    if len(data) < 8 or data[:4] != PREFACE[:4]:
        raise WaybillError('frameMalformed', f'this is no Waybill server; it says {data[:200]!r}')
    if data[4] != PREFACE[4] or data[6:8] != b'\0\0':
        raise WaybillError('versionUnsupported', f'the server speaks version {data[4]}.{data[5]}, this client 1.0')
