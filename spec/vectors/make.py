#!/usr/bin/env python3
"""Lays out the vectors of this folder, byte by byte, from the clauses of ../protocol.md.

    python3 spec/vectors/make.py

It shares no code with any implementation and is written in another language and style on purpose: the expected bytes
must not come from the writer that they are to test. Whoever changes a vector changes it here and looks at the diff.
"""
import base64
import json
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))


def u8(n): return struct.pack('>B', n)
def u16(n): return struct.pack('>H', n)
def u32(n): return struct.pack('>I', n)
def u64(n): return struct.pack('>Q', n)
def i64(n): return struct.pack('>q', n)
def f64(x): return struct.pack('>d', x)
def str8(s): return u8(len(s.encode())) + s.encode()
def run16(b): return u16(len(b)) + b
def js(value): return json.dumps(value, separators=(',', ':'), ensure_ascii=False).encode()


TYPES = dict(PUBLISH=0x01, DELIVER=0x02, SETTLE=0x03, CONFIRM=0x04, CREDIT=0x05, WINDOW=0x06, HEARTBEAT=0x07, HELLO=0x10, RESULT=0x11,
             ERROR=0x12, OPEN=0x13, CLOSE=0x14, STATUS=0x15, LIST=0x16, DECLARE_EXCHANGE=0x20, CHECK_EXCHANGE=0x21, DELETE_EXCHANGE=0x22,
             BIND_EXCHANGE=0x23, UNBIND_EXCHANGE=0x24, DECLARE_QUEUE=0x28, CHECK_QUEUE=0x29, DELETE_QUEUE=0x2a, PURGE_QUEUE=0x2b,
             BIND_QUEUE=0x2c, UNBIND_QUEUE=0x2d, CONSUME=0x30, CANCEL=0x31, CANCELLED=0x32, GET=0x33)
U53 = 2 ** 53 - 1
NO_DELAY = 0xffffffff


def frame(kind, channel=0, body=b'', correlation=None, flags=0, size=None):
    """u32 size | u8 type | u8 flags | u16 channel | [u32 correlation] | body"""
    code = TYPES[kind] if isinstance(kind, str) else kind
    rest = b'' if correlation is None else u32(correlation)
    if correlation is not None:
        flags |= 1
    total = 4 + len(rest) + len(body) if size is None else size
    return u32(total) + u8(code) + u8(flags) + u16(channel) + rest + body


def record(exchange=b'', key=b'', mask=0, properties=b'', headers=b'', body=b'', flags=0, form=1, size=None, section=None):
    """u32 size | u8 1 | u8 flags | u8 | u8 | u32 mask | u16 | u16 | exchange | key | properties | headers | [section] | body"""
    rest = exchange + key + properties + headers + (b'' if section is None else run16(section)) + body
    total = 12 + len(rest) if size is None else size
    return (u32(total) + u8(form) + u8(flags) + u8(len(exchange)) + u8(len(key)) + u32(mask) + u16(len(properties)) + u16(len(headers)) + rest)


def header(name, kind, value=b''):
    raw = name if isinstance(name, bytes) else name.encode()
    return u8(len(raw)) + raw + u8(kind) + value


def publish(records, first=1, count=None, zero=0, flags=0, channel=1):
    body = u64(first) + u32(len(records) if count is None else count) + u32(zero) + b''.join(records)
    return frame('PUBLISH', channel, body, flags=flags)


def deliver(records, tag=1, first_id=1, consumer=1, counts=None, flags=0, channel=1, count=None):
    body = u64(tag) + u64(first_id) + u32(len(records) if count is None else count) + u32(consumer)
    if counts is not None:
        body += u32(counts[0]) + u32(counts[1])
    return frame('DELIVER', channel, body + b''.join(records), flags=flags)


def entry(tag, count, outcome, delay=NO_DELAY, reason=b'', flags=0, reason_size=None):
    return u64(tag) + u32(count) + u8(outcome) + u8(flags) + u16(len(reason) if reason_size is None else reason_size) + u32(delay) + reason


def confirm(through, credit_sequence, credit_size, runs=(), exceptions=(), channel=1, run_count=None, exception_count=None, more=b'', flags=0):
    body = u64(through) + u64(credit_sequence) + u64(credit_size)
    body += u32(len(runs) if run_count is None else run_count) + u32(len(exceptions) if exception_count is None else exception_count)
    return frame('CONFIRM', channel, body + b''.join(runs) + b''.join(exceptions) + more, flags=flags)


def run(first, first_id, count, queues, level, zero=0): return u64(first) + u64(first_id) + u32(count) + u16(queues) + u8(level) + u8(zero)


def exception(sequence, code, queues=0, detail=b'', detail_size=None):
    return u64(sequence) + u16(code) + u16(len(detail) if detail_size is None else detail_size) + u32(queues) + detail


# ---------------------------------------------------------------------------------------------------------------- records

def described(name, raw, exchange='', key='', persistent=False, properties=None, headers=None, body=b'', **more):
    entry_ = dict(name=name, hex=raw.hex(), record=dict(exchange=exchange, routingKey=key, persistent=persistent, properties=properties or {},
                                                        headers=headers or {}, body=body.hex()))
    entry_.update(more)
    return entry_


TIME = 1767225600000
PROPERTIES = [  # bit, name, bytes, value
    (0, 'contentType', str8('application/json'), 'application/json'),
    (1, 'contentEncoding', str8('gzip'), 'gzip'),
    (2, 'messageId', str8('m-1'), 'm-1'),
    (3, 'correlationId', str8('c-1'), 'c-1'),
    (4, 'replyTo', str8('wb.reply'), 'wb.reply'),
    (5, 'type', str8('order.created'), 'order.created'),
    (6, 'appId', str8('shop'), 'shop'),
    (7, 'timestamp', u64(TIME), TIME),
    (14, 'traceparent', str8('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'), '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'),
    (15, 'tracestate', str8('a=1'), 'a=1'),
]
UNBUILT = [(8, 'priority', u8(5)), (9, 'expirationMs', u64(1000)), (10, 'deliverAt', u64(TIME)), (11, 'groupKey', str8('g')),
           (12, 'dedupeKey', str8('d')), (13, 'deadline', u64(TIME))]
HEADERS = [  # what, bytes, JSON as clause 6.9 says, what else
    ('null', header('h', 0), None, {}),
    ('false', header('h', 1), False, {}),
    ('true', header('h', 2), True, {}),
    ('i64 0', header('h', 3, i64(0)), 0, {}),
    ('i64 42', header('h', 3, i64(42)), 42, {}),
    ('i64 -1', header('h', 3, i64(-1)), -1, {}),
    ('i64 2^53 - 1', header('h', 3, i64(U53)), U53, {}),
    ('i64 -(2^53 - 1)', header('h', 3, i64(-U53)), -U53, {}),
    ('i64 2^53', header('h', 3, i64(2 ** 53)), {'i64': '9007199254740992'}, {}),
    ('i64 -2^63', header('h', 3, i64(-2 ** 63)), {'i64': '-9223372036854775808'}, {}),
    ('i64 2^63 - 1', header('h', 3, i64(2 ** 63 - 1)), {'i64': '9223372036854775807'}, {}),
    ('f64 1.5', header('h', 4, f64(1.5)), 1.5, {}),
    ('f64 -0', header('h', 4, f64(-0.0)), {'f64': '-0'}, {}),
    ('f64 infinity', header('h', 4, f64(float('inf'))), {'f64': 'Infinity'}, {}),
    ('f64 -infinity', header('h', 4, f64(float('-inf'))), {'f64': '-Infinity'}, {}),
    ('f64 NaN', header('h', 4, struct.pack('>Q', 0x7ff8000000000000)), {'f64': 'NaN'}, {}),
    ('f64 3, the same value as i64 3', header('h', 4, f64(3.0)), 3, {'oneWay': 'an integer is written as i64'}),
    ('string', header('h', 5, run16('grün'.encode())), 'grün', {}),
    ('string, empty', header('h', 5, run16(b'')), '', {}),
    ('string with U+0000 and U+10FFFF', header('h', 5, run16('\0\U0010ffff'.encode())), '\0\U0010ffff', {}),
    ('bytes', header('h', 6, run16(bytes([0, 255, 128]))), {'bytes': base64.b64encode(bytes([0, 255, 128])).decode()}, {}),
    ('bytes, empty', header('h', 6, run16(b'')), {'bytes': ''}, {}),
]


def records():
    out = [
        described('nothing but a record', record()),
        described('a body', record(body=b'hello'), body=b'hello'),
        described('exchange, key, persistent, body', record(b'orders', b'order.eu.created', body=b'{"id":1}', flags=1), 'orders', 'order.eu.created', True, body=b'{"id":1}'),
        described('exchange and key with every length of UTF-8', record('é€𐍈'.encode(), 'ключ'.encode()), 'é€𐍈', 'ключ'),
        described('exchange and key of 255 bytes', record(b'e' * 255, b'k' * 255), 'e' * 255, 'k' * 255),
        described('names that mean something elsewhere', record(b'__proto__', b'constructor'), '__proto__', 'constructor'),
    ]
    for bit, name, raw, value in PROPERTIES:
        out.append(described(f'property {name}', record(b'', b'q', 1 << bit, raw, body=b'x'), '', 'q', False, {name: value}, body=b'x'))
    out.append(described('every property that is built', record(b'', b'q', sum(1 << p[0] for p in PROPERTIES), b''.join(p[2] for p in PROPERTIES), body=b'x'),
                         '', 'q', False, {p[1]: p[3] for p in PROPERTIES}, body=b'x'))
    out.append(described('a property of 255 bytes', record(mask=1, properties=str8('t' * 255)), properties={'contentType': 't' * 255}))
    out.append(described('a property that is empty', record(mask=1, properties=str8('')), properties={'contentType': ''}))
    out.append(described('timestamp 2^53 - 1', record(mask=1 << 7, properties=u64(U53)), properties={'timestamp': U53}))
    for what, raw, value, more in HEADERS:
        out.append(described(f'header {what}', record(headers=raw), headers={'h': value}, **more))
    names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    out.append(described('headers with names that mean something elsewhere', record(headers=b''.join(header(n, 2) for n in names)), headers={n: True for n in names}))
    out.append(described('a header name of 255 bytes', record(headers=header('n' * 255, 0)), headers={'n' * 255: None}))
    out.append(described('64 headers', record(headers=b''.join(header(f'h{i:02}', 2) for i in range(64))), headers={f'h{i:02}': True for i in range(64)}))
    out.append(described('headers of 8,192 bytes', record(headers=header('h', 6, run16(b'\1' * (8192 - 5)))), headers={'h': {'bytes': base64.b64encode(b'\1' * (8192 - 5)).decode()}}))
    out.append(described('properties, headers, persistent, body', record(b'x', b'k', 1 | 1 << 7, str8('text/plain') + u64(TIME), header('a', 3, i64(1)) + header('b', 5, run16(b'two')), b'body', 1),
                         'x', 'k', True, {'contentType': 'text/plain', 'timestamp': TIME}, {'a': 1, 'b': 'two'}, b'body'))
    out.append(described('a delivery with a broker section', record(b'', b'q', body=b'after', flags=2, section=b'for brokers'), '', 'q', body=b'after', delivered=True, oneWay='publishers have none'))
    out.append(described('a delivery with an empty broker section', record(b'', b'q', flags=3, section=b''), '', 'q', True, delivered=True, oneWay='publishers have none'))
    return out


# ----------------------------------------------------------------------------------------------------------------- frames

HELLO = {'client': {'product': 'example', 'version': '1.0.0'}}
HELLO_RESULT = {'server': {'product': 'waybill', 'version': '0.1.0'}, 'log': 'k3f9a', 'connection': 7, 'heartbeatMs': 20000, 'keeps': 'nothing',
                'limits': {'frameSizeMax': 16842752, 'messageSizeMax': 16777216, 'channelCountMax': 1024, 'consumerCountMax': 1024, 'nameSizeMax': 255}, 'blocked': None}
CONTROL = [  # name, channel, request, result
    ('HELLO', 0, HELLO, HELLO_RESULT),
    ('HELLO', 0, {'client': {'product': 'example', 'version': '1.0.0', 'platform': 'python 3.13', 'name': 'wörker'}, 'vhost': 'shop', 'user': 'ada', 'password': 'secret', 'heartbeatMs': 0},
     dict(HELLO_RESULT, heartbeatMs=0, keeps='disk', blocked='memory')),
    ('OPEN', 1, {}, {'creditSequence': 256, 'creditSize': 65536}),
    ('CLOSE', 1, {}, {}),
    ('CLOSE', 0, {}, {}),
    ('LIST', 0, {'kind': 'queues'}, {'items': [{'queue': 'emails', 'durable': False, 'exclusive': False, 'autoDelete': False, 'messageCount': 2, 'messageSize': 200, 'unsettledCount': 1, 'unsettledSize': 100, 'consumerCount': 1}], 'next': 'emails'}),
    ('LIST', 0, {'kind': 'bindings', 'limit': 1000, 'after': 'x', 'prefix': 'or'}, {'items': [{'source': 'orders', 'target': 'audit', 'kind': 'queue', 'key': '#'}]}),
    ('LIST', 0, {'kind': 'connections'}, {'items': [{'connection': 7, 'client': {'product': 'example', 'version': '1.0.0'}, 'vhost': 'default', 'remote': '127.0.0.1:50000', 'tls': False, 'connectedAt': TIME, 'channelCount': 1}]}),
    ('LIST', 0, {'kind': 'channels'}, {'items': [{'connection': 7, 'channel': 1, 'consumerCount': 0, 'unsettledCount': 0}]}),
    ('LIST', 0, {'kind': 'exchanges'}, {'items': [{'exchange': 'orders', 'type': 'topic', 'durable': False, 'autoDelete': False, 'internal': False, 'bindingCount': 1}]}),
    ('LIST', 0, {'kind': 'consumers'}, {'items': [{'connection': 7, 'channel': 1, 'consumer': 1, 'queue': 'emails', 'ack': 'manual', 'prefetch': 256, 'unsettledCount': 0}]}),
    ('DECLARE_EXCHANGE', 1, {'exchange': 'orders', 'type': 'topic'}, {'created': True}),
    ('DECLARE_EXCHANGE', 1, {'exchange': 'x', 'type': 'headers', 'durable': False, 'autoDelete': True, 'internal': True, 'alternate': 'rest'}, {'created': False}),
    ('CHECK_EXCHANGE', 1, {'exchange': 'orders'}, {'exchange': 'orders', 'type': 'topic', 'durable': False, 'autoDelete': False, 'internal': False, 'alternate': 'rest'}),
    ('DELETE_EXCHANGE', 1, {'exchange': 'orders', 'ifUnused': True}, {'deleted': True}),
    ('BIND_EXCHANGE', 1, {'source': 'orders', 'target': 'audit', 'key': '#'}, {'created': True, 'bindingCount': 1}),
    ('UNBIND_EXCHANGE', 1, {'source': 'orders', 'target': 'audit'}, {'removed': False, 'bindingCount': 0}),
    ('DECLARE_QUEUE', 1, {'queue': 'emails'}, {'queue': 'emails', 'created': True, 'durable': False, 'messageCount': 0, 'consumerCount': 0}),
    ('DECLARE_QUEUE', 1, {}, {'queue': 'wb.8f3a', 'created': True, 'durable': False, 'messageCount': 0, 'consumerCount': 0}),
    ('DECLARE_QUEUE', 1, {'queue': 'grün', 'durable': True, 'exclusive': True, 'autoDelete': True, 'expiresMs': 60000}, {'queue': 'grün', 'created': False, 'durable': True, 'messageCount': 5, 'consumerCount': 2}),
    ('CHECK_QUEUE', 1, {'queue': 'emails'}, {'queue': 'emails', 'durable': False, 'exclusive': False, 'autoDelete': False, 'expiresMs': 1, 'messageCount': 1, 'unsettledCount': 2, 'consumerCount': 3}),
    ('DELETE_QUEUE', 1, {'queue': 'emails', 'ifUnused': True, 'ifEmpty': True}, {'deleted': True, 'messageCount': 3}),
    ('PURGE_QUEUE', 1, {'queue': 'emails'}, {'messageCount': 3}),
    ('BIND_QUEUE', 1, {'queue': 'fraud', 'exchange': 'checks', 'headers': {'amount': {'i64': '9007199254740993'}, 'risk': 0.5, 'seen': True, 'key': {'bytes': 'AAE='}, 'nan': {'f64': 'NaN'}, 'none': None}, 'match': 'any'}, {'created': True, 'bindingCount': 2}),
    ('UNBIND_QUEUE', 1, {'queue': 'emails', 'exchange': 'orders', 'key': 'order.*'}, {'removed': True, 'bindingCount': 0}),
    ('CONSUME', 1, {'consumer': 1, 'queue': 'emails'}, {}),
    ('CONSUME', 1, {'consumer': 4294967295, 'queue': 'emails', 'ack': 'none', 'prefetch': 0, 'prefetchSize': 4294967295, 'exclusive': True, 'priority': -5}, {}),
    ('CANCEL', 1, {'consumer': 1}, {'unsettledCount': 12}),
    ('GET', 1, {'consumer': 2, 'queue': 'emails'}, {'found': False}),
    ('GET', 1, {'consumer': 2, 'queue': 'emails', 'ack': 'none', 'waitMs': 600000}, {'found': True}),
]
PUSHED = [
    ('STATUS', 0, {'state': 'blocked', 'reason': 'memory'}),
    ('STATUS', 0, {'state': 'unblocked'}),
    ('STATUS', 0, {'state': 'draining', 'deadlineMs': 25000}),
    ('CANCELLED', 1, {'consumer': 1, 'reason': 'queue-deleted'}),
    ('CANCELLED', 1, {'consumer': 1, 'reason': 'refused', 'error': {'code': 403, 'name': 'forbidden', 'scope': 'request', 'retryable': False, 'message': 'no'}}),
    ('ERROR', 0, {'code': 501, 'name': 'frameMalformed', 'scope': 'connection', 'retryable': False, 'message': 'SETTLE does not have its layout'}),
    ('ERROR', 3, {'code': 421, 'name': 'sequenceUnexpected', 'scope': 'channel', 'retryable': False, 'message': 'sequence 9 came, 5 was expected', 'details': {'expected': 5}}),
]


def flagged(number, **names): return sum(bit for bit, on in names.items() if on)


def frames():
    out = []

    def add(name, sender, raw, kind, channel=0, correlation=None, flags=None, **meaning):
        described_ = dict(type=kind, channel=channel)
        if correlation is not None:
            described_['correlation'] = correlation
        if flags is not None:
            described_['flags'] = flags
        described_.update(meaning)
        out.append(dict(name=name, **{'from': sender}, hex=raw.hex(), frame=described_))

    r1 = record(b'orders', b'order.eu', body=b'one', flags=1)
    d1 = dict(exchange='orders', routingKey='order.eu', persistent=True, properties={}, headers={}, body=b'one'.hex())
    r2 = record(b'', b'q', 1, str8('text/plain'), header('n', 3, i64(2)), b'two')
    d2 = dict(exchange='', routingKey='q', persistent=False, properties={'contentType': 'text/plain'}, headers={'n': 2}, body=b'two'.hex())
    r0 = record()
    d0 = dict(exchange='', routingKey='', persistent=False, properties={}, headers={}, body='')

    add('PUBLISH one record', 'client', publish([r1]), 'PUBLISH', 1, flags=[], firstSequence=1, records=[d1])
    add('PUBLISH three records, confirm and mandatory', 'client', publish([r1, r2, r0], 41, flags=0x06, channel=65535), 'PUBLISH', 65535, flags=['CONFIRM', 'MANDATORY'], firstSequence=41, records=[d1, d2, d0])
    add('PUBLISH atomic', 'client', publish([r1, r2], flags=0x0a), 'PUBLISH', 1, flags=['CONFIRM', 'ATOMIC'], firstSequence=1, records=[d1, d2])
    for level, word in ((1, 'received'), (2, 'written'), (3, 'synced')):
        add(f'PUBLISH level {word}', 'client', publish([r1], flags=0x02 | level << 4), 'PUBLISH', 1, flags=['CONFIRM'], level=word, firstSequence=1, records=[d1])
    add('PUBLISH the last sequence there is', 'client', publish([r1], U53), 'PUBLISH', 1, flags=[], firstSequence=U53, records=[d1])

    add('DELIVER one record', 'server', deliver([r1], 1, 900, 1), 'DELIVER', 1, flags=[], firstTag=1, firstMessageId=900, consumer=1, deliveryCount=1, failureCount=0, records=[d1])
    add('DELIVER two records', 'server', deliver([r1, r2], 5, 901, 4294967295), 'DELIVER', 1, flags=[], firstTag=5, firstMessageId=901, consumer=4294967295, deliveryCount=1, failureCount=0, records=[d1, d2])
    add('DELIVER again', 'server', deliver([r2], 7, 902, 3, (4, 2), 0x06), 'DELIVER', 1, flags=['REDELIVERED', 'COUNTS'], firstTag=7, firstMessageId=902, consumer=3, deliveryCount=4, failureCount=2, records=[d2])
    add('DELIVER with counts, not redelivered', 'server', deliver([r0], 8, 903, 3, (1, 0), 0x04), 'DELIVER', 1, flags=['COUNTS'], firstTag=8, firstMessageId=903, consumer=3, deliveryCount=1, failureCount=0, records=[d0])

    def settled(tag, count, outcome, delay=None, reason=''):
        return dict(firstTag=tag, count=count, outcome=outcome, delayMs=delay, reason=reason)

    add('SETTLE ack', 'client', frame('SETTLE', 1, entry(1, 1, 1)), 'SETTLE', 1, entries=[settled(1, 1, 'ack')])
    add('SETTLE requeue', 'client', frame('SETTLE', 1, entry(2, 1, 2)), 'SETTLE', 1, entries=[settled(2, 1, 'requeue')])
    add('SETTLE retry, the broker says when', 'client', frame('SETTLE', 1, entry(3, 1, 3)), 'SETTLE', 1, entries=[settled(3, 1, 'retry')])
    add('SETTLE retry in 1.5 s with a reason', 'client', frame('SETTLE', 1, entry(4, 1, 3, 1500, 'später'.encode())), 'SETTLE', 1, entries=[settled(4, 1, 'retry', 1500, 'später')])
    add('SETTLE retry at once', 'client', frame('SETTLE', 1, entry(4, 1, 3, 0)), 'SETTLE', 1, entries=[settled(4, 1, 'retry', 0)])
    add('SETTLE reject with a reason', 'client', frame('SETTLE', 1, entry(5, 1, 4, reason=b'not an address')), 'SETTLE', 1, entries=[settled(5, 1, 'reject', None, 'not an address')])
    add('SETTLE a range and more, answered', 'client', frame('SETTLE', 2, entry(1, 4294967295, 1) + entry(9, 2, 4, reason=b'no') + entry(12, 1, 2), 99), 'SETTLE', 2, 99,
        entries=[settled(1, 4294967295, 'ack'), settled(9, 2, 'reject', None, 'no'), settled(12, 1, 'requeue')])
    add('SETTLE with a reason of 65,535 bytes', 'client', frame('SETTLE', 1, entry(1, 1, 4, reason=b'r' * 65535)), 'SETTLE', 1, entries=[settled(1, 1, 'reject', None, 'r' * 65535)])

    add('CONFIRM that only renews credit', 'server', confirm(0, 256, 65536), 'CONFIRM', 1, through=0, creditSequence=256, creditSize=65536, runs=[], exceptions=[])
    add('CONFIRM one run', 'server', confirm(3, 512, 131072, [run(1, 900, 3, 2, 1)]), 'CONFIRM', 1, through=3, creditSequence=512, creditSize=131072,
        runs=[dict(firstSequence=1, firstMessageId=900, count=3, queueCount=2, level='received')], exceptions=[])
    add('CONFIRM runs of every level and exceptions', 'server',
        confirm(9, U53, U53, [run(1, 900, 1, 0, 1), run(2, 901, 2, 65535, 2), run(5, 905, 4, 1, 3)], [exception(4, 312, 0, b'no queue takes it'), exception(9, 423, 7, 'ungültig'.encode())]),
        'CONFIRM', 1, through=9, creditSequence=U53, creditSize=U53,
        runs=[dict(firstSequence=1, firstMessageId=900, count=1, queueCount=0, level='received'), dict(firstSequence=2, firstMessageId=901, count=2, queueCount=65535, level='written'),
              dict(firstSequence=5, firstMessageId=905, count=4, queueCount=1, level='synced')],
        exceptions=[dict(sequence=4, code=312, queueCount=0, detail='no queue takes it'), dict(sequence=9, code=423, queueCount=7, detail='ungültig')])
    add('CONFIRM an exception without words', 'server', confirm(1, 256, 65536, [], [exception(1, 420)]), 'CONFIRM', 1, through=1, creditSequence=256, creditSize=65536, runs=[], exceptions=[dict(sequence=1, code=420, queueCount=0, detail='')])

    add('CREDIT', 'server', frame('CREDIT', 1, u64(512) + u64(8388608)), 'CREDIT', 1, creditSequence=512, creditSize=8388608)
    add('WINDOW', 'client', frame('WINDOW', 1, u32(7) + u32(100) + u32(8388608)), 'WINDOW', 1, consumer=7, messageCount=100, size=8388608)
    add('WINDOW pauses', 'client', frame('WINDOW', 1, u32(7) + u32(0) + u32(0)), 'WINDOW', 1, consumer=7, messageCount=0, size=0)
    add('WINDOW asks for credit', 'client', frame('WINDOW', 1, u32(0) + u32(0) + u32(4294967295)), 'WINDOW', 1, consumer=0, messageCount=0, size=4294967295)
    add('HEARTBEAT of a client', 'client', frame('HEARTBEAT'), 'HEARTBEAT')
    add('HEARTBEAT of a server', 'server', frame('HEARTBEAT'), 'HEARTBEAT')

    for number, (kind, channel, request, result) in enumerate(CONTROL, 1):
        correlation = number if number > 1 else 4294967295
        add(f'{kind} {number}', 'client', frame(kind, channel, js(request), correlation), kind, channel, correlation, json=request)
        add(f'RESULT of {kind} {number}', 'server', frame('RESULT', channel, js(result), correlation), 'RESULT', channel, correlation, answers=kind, json=result)
    add('RESULT of SETTLE', 'server', frame('RESULT', 2, js({}), 99), 'RESULT', 2, 99, answers='SETTLE', json={})
    for number, (kind, channel, body) in enumerate(PUSHED, 1):
        add(f'{kind} pushed {number}', 'server', frame(kind, channel, js(body)), kind, channel, json=body)
    refusal = {'code': 406, 'name': 'preconditionFailed', 'scope': 'request', 'retryable': False, 'message': "queue 'emails' is there with other options", 'details': {'differences': [{'option': 'exclusive', 'wanted': True, 'actual': False}]}}
    add('ERROR that answers a request', 'server', frame('ERROR', 1, js(refusal), 12), 'ERROR', 1, 12, json=refusal)
    spaced = json.dumps({'queue': 'emails'}, indent=2).encode()
    out.append(dict(name='JSON with white space', **{'from': 'client'}, hex=frame('CHECK_QUEUE', 1, spaced, 5).hex(), frame=dict(type='CHECK_QUEUE', channel=1, correlation=5, json={'queue': 'emails'}), oneWay='written without white space'))
    return out


# ---------------------------------------------------------------------------------------------------------------- preface

def preface():
    version = lambda name, raw, major, minor, refused: dict(name=name, hex=raw.hex(), version=dict(major=major, minor=minor, refused=refused))
    foreign = lambda name, raw, what, ended=False: dict(name=name, hex=raw.hex(), foreign=what, **({'ended': True} if ended else {}))
    partial = lambda name, raw: dict(name=name, hex=raw.hex(), needMore=True)
    return [
        version('version 1.0', b'WAYB\1\0\0\0', 1, 0, False),
        version('version 1.0 and a frame behind it', b'WAYB\1\0\0\0' + frame('HEARTBEAT'), 1, 0, False),
        version('a later minor version', b'WAYB\1\7\0\0', 1, 7, False),
        version('a later major version', b'WAYB\2\0\0\0', 2, 0, False),
        version('a server that cannot speak the major asked for', b'WAYB\1\0\0\1', 1, 0, True),
        partial('nothing yet', b''), partial('one byte', b'W'), partial('seven bytes', b'WAYB\1\0\0'), partial('three bytes of HTTP', b'GET'),
        foreign('nothing at all', b'', 'silence', True),
        foreign('half a preface, then the end', b'WAYB\1', 'bytes', True),
        foreign('TLS', bytes.fromhex('1603010200010001fc03'), 'tls'),
        foreign('HTTP GET', b'GET / HTTP/1.1\r\n', 'http'), foreign('HTTP POST', b'POST /api HTTP/1.1\r\n', 'http'), foreign('HTTP/2', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http'),
        foreign('AMQP', b'AMQP\0\0\x09\1', 'amqp'),
        foreign('a person', b'hello there\r\n', 'text'), foreign('a person who types little', b'hi\r\n', 'text'), foreign('a person who only hits return', b'\r\n', 'text'),
        foreign('a word that begins alike, typed', b'WAY\r\n', 'text'),
        foreign('bytes', bytes.fromhex('0001020304050607'), 'bytes'),
        foreign('a magic with another last letter', b'WAYX\1\0\0\0', 'bytes'),
        foreign('a magic of small letters', b'wayb\1\0\0\0', 'bytes'),
    ]


# ---------------------------------------------------------------------------------------------------------------- invalid

def invalid():
    out = []

    def bad(name, clause, raw, error, sender='client', **more):
        out.append(dict(name=name, clause=clause, **{'from': sender}, hex=raw.hex(), error=error, **more))

    good = record(b'', b'q', body=b'x')
    # sizes of frames
    for size in range(4):
        bad(f'a size of {size}', '2.2', u32(size) + bytes([7, 0, 0, 0]), 'frameMalformed')
    bad('a correlated frame without room for its id', '2.2', u32(7) + bytes([0x10, 1, 0, 0, 0, 0, 0]), 'frameMalformed')
    bad('a size of 2^32 - 1', '2.2', u32(0xffffffff), 'frameTooLarge')
    bad('a size of 2^31', '2.2', u32(0x80000000), 'frameTooLarge')
    bad('one byte more than frameSizeMax', '2.2', u32(16842753), 'frameTooLarge')
    bad('one byte more than 16 KiB before HELLO', '2.2', u32(16385), 'frameTooLarge', opening=True)
    bad('correlation id 0', '2.3', frame('OPEN', 1, b'{}', 0), 'frameMalformed')
    # header against the table
    bad('a flag that HEARTBEAT does not have', '2.3', frame('HEARTBEAT', flags=0x80), 'frameMalformed')
    bad('a flag that HELLO does not have', '2.3', frame('HELLO', 0, js(HELLO), 1, flags=0x02), 'frameMalformed')
    for bit in (0x40, 0x80):
        bad(f'flag 0x{bit:02x} of PUBLISH', '2.3', publish([good], flags=bit), 'frameMalformed')
    for bit in (0x08, 0x10, 0x20, 0x40, 0x80):
        bad(f'flag 0x{bit:02x} of DELIVER', '2.3', deliver([good], flags=bit), 'frameMalformed', 'server')
    for kind in ('DELIVER', 'CONFIRM', 'CREDIT', 'RESULT', 'ERROR', 'STATUS', 'CANCELLED'):
        correlated = 1 if kind == 'RESULT' else None
        bad(f'{kind} from a client', '2.6', frame(kind, 0 if kind == 'STATUS' else 1, b'{}', correlated), 'frameUnexpected')
    for kind in ('PUBLISH', 'SETTLE', 'WINDOW', 'HELLO', 'OPEN', 'CLOSE', 'LIST', 'DECLARE_EXCHANGE', 'CHECK_EXCHANGE', 'DELETE_EXCHANGE', 'BIND_EXCHANGE', 'UNBIND_EXCHANGE',
                 'DECLARE_QUEUE', 'CHECK_QUEUE', 'DELETE_QUEUE', 'PURGE_QUEUE', 'BIND_QUEUE', 'UNBIND_QUEUE', 'CONSUME', 'CANCEL', 'GET'):
        hot = kind in ('PUBLISH', 'SETTLE', 'WINDOW')
        bad(f'{kind} from a server', '2.6', frame(kind, 0 if kind in ('HELLO', 'LIST') else 1, b'{}', None if hot else 1), 'frameUnexpected', 'server')
    for kind in ('PUBLISH', 'SETTLE', 'WINDOW', 'OPEN', 'DECLARE_QUEUE', 'CONSUME', 'GET'):
        bad(f'{kind} on channel 0', '2.4', frame(kind, 0, b'{}', None if kind in ('PUBLISH', 'SETTLE', 'WINDOW') else 1), 'frameUnexpected')
    for kind in ('HELLO', 'LIST'):
        bad(f'{kind} on channel 1', '2.4', frame(kind, 1, b'{}', 1), 'frameUnexpected')
    bad('HEARTBEAT on channel 1', '2.4', frame('HEARTBEAT', 1), 'frameUnexpected')
    bad('STATUS on channel 1', '2.4', frame('STATUS', 1, js({'state': 'unblocked'})), 'frameUnexpected', 'server')
    for kind in ('HELLO', 'OPEN', 'CLOSE', 'LIST', 'DECLARE_QUEUE', 'CONSUME', 'CANCEL', 'GET'):
        bad(f'{kind} without a correlation id', '2.6', frame(kind, 0 if kind in ('HELLO', 'LIST') else 1, b'{}'), 'frameUnexpected')
    bad('RESULT without a correlation id', '2.6', frame('RESULT', 1, b'{}'), 'frameUnexpected', 'server')
    for kind in ('PUBLISH', 'WINDOW'):
        bad(f'{kind} with a correlation id', '2.6', frame(kind, 1, bytes(16), 1), 'frameUnexpected')
    bad('HEARTBEAT with a correlation id', '2.6', frame('HEARTBEAT', 0, b'', 1), 'frameUnexpected')
    for kind in ('DELIVER', 'CONFIRM', 'CREDIT', 'CANCELLED'):
        bad(f'{kind} with a correlation id', '2.6', frame(kind, 1, bytes(16), 1), 'frameUnexpected', 'server')
    for code in (0x00, 0x08, 0x0f, 0x17, 0x25, 0x2e, 0x34, 0x7f, 0xff):
        bad(f'type 0x{code:02x}, a request', '2.6', frame(code, 1, b'{}', 9), 'unsupported')
    bad('type 0x55, not a request, with flags of its own', '2.6', frame(0x55, 1, b'whatever', flags=0xf0), 'unsupported')
    # heartbeat, credit, window
    bad('HEARTBEAT with a body', '2.5', frame('HEARTBEAT', 0, b'\0'), 'frameMalformed')
    bad('CREDIT cut', '4.6', frame('CREDIT', 1, bytes(15)), 'frameMalformed', 'server')
    bad('CREDIT with more', '4.6', frame('CREDIT', 1, bytes(17)), 'frameMalformed', 'server')
    bad('CREDIT sequence 2^53', '4.6', frame('CREDIT', 1, u64(2 ** 53) + u64(1)), 'frameMalformed', 'server')
    bad('CREDIT size 2^64 - 1', '4.6', frame('CREDIT', 1, u64(1) + u64(2 ** 64 - 1)), 'frameMalformed', 'server')
    bad('WINDOW cut', '5.3', frame('WINDOW', 1, bytes(11)), 'frameMalformed')
    bad('WINDOW with more', '5.3', frame('WINDOW', 1, bytes(13)), 'frameMalformed')
    # publish
    bad('PUBLISH without a header', '4.1', frame('PUBLISH', 1, b''), 'frameMalformed')
    bad('PUBLISH with a header that is cut', '4.1', frame('PUBLISH', 1, bytes(15)), 'frameMalformed')
    bad('PUBLISH of no records', '4.1', publish([]), 'frameMalformed')
    bad('PUBLISH count 0 and a record', '4.1', publish([good], count=0), 'frameMalformed')
    bad('PUBLISH count 2 and one record', '4.1', publish([good], count=2), 'frameMalformed')
    bad('PUBLISH count 1 and two records', '4.1', publish([good, good], count=1), 'frameMalformed')
    bad('PUBLISH count 2^32 - 1', '4.1', publish([good], count=0xffffffff), 'frameMalformed')
    bad('PUBLISH with a reserved field that is not 0', '4.1', publish([good], zero=1), 'frameMalformed')
    bad('PUBLISH first sequence 2^53', '0.1', publish([good], 2 ** 53), 'frameMalformed')
    bad('PUBLISH beyond the last sequence there is', '0.1', publish([good, good], U53), 'frameMalformed')
    bad('PUBLISH with a record that is cut', '4.1', publish([good[:-1]]), 'frameMalformed')
    bad('PUBLISH with a byte behind its records', '4.1', publish([good + b'\0'], count=1), 'frameMalformed')
    bad('a record size of 11', '4.1', publish([record(size=11)]), 'frameMalformed')
    bad('a record size of 2^32 - 1', '4.1', publish([record(size=0xffffffff)]), 'frameMalformed')
    # records inside
    malformed = lambda name, clause, raw: bad(name, clause, publish([raw]), 'messageMalformed')
    malformed('record format 0', '3.1', record(form=0))
    malformed('record format 2', '3.1', record(form=2))
    for bit in (0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80):
        malformed(f'record flag 0x{bit:02x} from a publisher', '3.2', record(flags=bit, body=bytes(4)))
    bad('record flag 0x04 in a delivery', '3.2', deliver([record(flags=4)]), 'messageMalformed', 'server')
    bad('a broker section that is cut', '3.2', deliver([record(flags=2, body=b'\0')]), 'messageMalformed', 'server')
    bad('a broker section larger than the record', '3.2', deliver([record(flags=2, body=b'\0\5abcd')]), 'messageMalformed', 'server')
    lying = lambda a, b, p, h, rest=b'': u32(12 + len(rest)) + bytes([1, 0, a, b]) + u32(0) + u16(p) + u16(h) + rest
    malformed('an exchange larger than the record', '3.1', lying(1, 0, 0, 0))
    malformed('a key larger than the record', '3.1', lying(0, 255, 0, 0, b'short'))
    malformed('properties larger than the record', '3.1', lying(0, 0, 65535, 0, b'short'))
    malformed('headers larger than the record', '3.1', lying(0, 0, 0, 6, b'short'))
    texts = [('a lone continuation byte', b'\x80'), ('an overlong slash', b'\xc0\xaf'), ('an overlong NUL', b'\xc1\x80'), ('an overlong euro', b'\xe0\x82\xac'), ('a surrogate', b'\xed\xa0\x80'),
             ('an overlong U+FFFF', b'\xf0\x8f\xbf\xbf'), ('U+110000', b'\xf4\x90\x80\x80'), ('byte FF', b'\xff'), ('a sequence that is cut', b'\xe2\x82'), ('five bytes', b'\xf8\x88\x80\x80\x80')]
    for what, raw in texts:
        malformed(f'an exchange with {what}', '3.3', record(exchange=raw))
        malformed(f'a key with {what}', '3.3', record(key=b'abc' + raw))
        malformed(f'a property with {what}', '3.4', record(mask=1, properties=u8(len(raw)) + raw))
        malformed(f'a header name with {what}', '3.6', record(headers=header(raw, 0)))
        malformed(f'a header string with {what}', '3.6', record(headers=header('h', 5, run16(raw))))
    malformed('text split between exchange and key', '3.3', record(exchange=b'\xe2\x82', key=b'\xac'))
    malformed('a mask without properties', '3.4', record(mask=1))
    malformed('properties without a mask', '3.4', record(properties=b'\0'))
    malformed('more properties than the mask says', '3.4', record(mask=1, properties=str8('a') + str8('b')))
    malformed('fewer properties than the mask says', '3.4', record(mask=3, properties=str8('a')))
    malformed('a str8 that is cut', '3.4', record(mask=1, properties=b'\5ab'))
    malformed('a timestamp that is cut', '3.4', record(mask=1 << 7, properties=bytes(7)))
    malformed('a timestamp of 2^53', '3.4', record(mask=1 << 7, properties=u64(2 ** 53)))
    for bit, name, raw in UNBUILT:
        bad(f'property {name}', '3.5', publish([record(mask=1 << bit, properties=raw)]), 'propertyUnsupported', names=name)
    for bit in (16, 23, 31):
        bad(f'property bit {bit}', '3.5', publish([record(mask=1 << bit)]), 'propertyUnsupported', names=f'bit {bit}')
    malformed('a header with an empty name', '3.6', record(headers=header('', 0)))
    malformed('a header with a name that is cut', '3.6', record(headers=b'\5ab'))
    malformed('a header without a type', '3.6', record(headers=b'\1a'))
    for code in (7, 8, 127, 255):
        malformed(f'header type {code}', '3.6', record(headers=header('h', code)))
    malformed('an i64 that is cut', '3.6', record(headers=header('h', 3, bytes(7))))
    malformed('an f64 that is cut', '3.6', record(headers=header('h', 4, bytes(7))))
    malformed('a string without a size', '3.6', record(headers=header('h', 5, b'\0')))
    malformed('a string and the end', '3.6', record(headers=header('h', 5)))
    malformed('bytes and the end', '3.6', record(headers=header('h', 6)))
    malformed('a string that is cut', '3.6', record(headers=header('h', 5, b'\0\3ab')))
    malformed('bytes that are cut', '3.6', record(headers=header('h', 6, b'\xff\xff')))
    malformed('a header twice', '3.6', record(headers=header('a', 0) + header('b', 0) + header('a', 1)))
    malformed('the last of 20 headers twice', '3.6', record(headers=b''.join(header(f'h{i}', 0) for i in range(20)) + header('h19', 0)))
    malformed('65 headers', '3.6', record(headers=b''.join(header(f'h{i:02}', 2) for i in range(65))))
    malformed('headers of 8,193 bytes', '3.6', record(headers=header('h', 6, run16(b'\1' * (8193 - 5)))))
    # deliver
    bad('DELIVER with a header that is cut', '5.2', frame('DELIVER', 1, bytes(23)), 'frameMalformed', 'server')
    bad('DELIVER of no records', '5.2', deliver([]), 'frameMalformed', 'server')
    bad('DELIVER tag 0', '5.2', deliver([good], tag=0), 'frameMalformed', 'server')
    bad('DELIVER consumer 0', '5.2', deliver([good], consumer=0), 'frameMalformed', 'server')
    bad('DELIVER tag 2^53', '0.1', deliver([good], tag=2 ** 53), 'frameMalformed', 'server')
    bad('DELIVER message id 2^53', '0.1', deliver([good], first_id=2 ** 53), 'frameMalformed', 'server')
    bad('DELIVER redelivered without counts', '5.2', deliver([good], flags=2), 'frameMalformed', 'server')
    bad('DELIVER with counts that are cut', '5.2', frame('DELIVER', 1, u64(1) + u64(1) + u32(1) + u32(1) + u32(1), flags=4), 'frameMalformed', 'server')
    bad('DELIVER count 2 and one record', '5.2', deliver([good], count=2), 'frameMalformed', 'server')
    # settle
    bad('SETTLE of nothing', '5.4', frame('SETTLE', 1), 'frameMalformed')
    bad('SETTLE of nothing, correlated', '5.4', frame('SETTLE', 1, b'', 3), 'frameMalformed')
    bad('SETTLE that is cut', '5.4', frame('SETTLE', 1, entry(1, 1, 1)[:-1]), 'frameMalformed')
    bad('SETTLE with a byte behind', '5.4', frame('SETTLE', 1, entry(1, 1, 1) + b'\0'), 'frameMalformed')
    for outcome in (0, 5, 255):
        bad(f'SETTLE outcome {outcome}', '5.4', frame('SETTLE', 1, entry(1, 1, outcome)), 'frameMalformed')
    bad('SETTLE entry flags', '5.4', frame('SETTLE', 1, entry(1, 1, 1, flags=1)), 'frameMalformed')
    bad('SETTLE count 0', '5.4', frame('SETTLE', 1, entry(1, 0, 1)), 'frameMalformed')
    bad('SETTLE tag 2^53', '0.1', frame('SETTLE', 1, entry(2 ** 53, 1, 1)), 'frameMalformed')
    for outcome in (1, 2, 4):
        bad(f'SETTLE outcome {outcome} with a delay', '5.4', frame('SETTLE', 1, entry(1, 1, outcome, 0)), 'frameMalformed')
    bad('SETTLE with a reason larger than the frame', '5.4', frame('SETTLE', 1, entry(1, 1, 4, reason=b'ab', reason_size=3)), 'frameMalformed')
    bad('SETTLE with a reason that is not UTF-8', '5.4', frame('SETTLE', 1, entry(1, 1, 4, reason=b'\xff')), 'frameMalformed')
    bad('SETTLE with a bad second entry', '5.4', frame('SETTLE', 1, entry(1, 1, 1) + entry(2, 1, 9)), 'frameMalformed')
    # confirm
    bad('CONFIRM that is cut', '4.4', frame('CONFIRM', 1, bytes(31)), 'frameMalformed', 'server')
    bad('CONFIRM with a byte behind', '4.4', confirm(1, 1, 1, more=b'\0'), 'frameMalformed', 'server')
    bad('CONFIRM with fewer runs than it says', '4.4', confirm(1, 1, 1, run_count=1), 'frameMalformed', 'server')
    bad('CONFIRM with 2^32 - 1 runs', '4.4', confirm(1, 1, 1, run_count=0xffffffff), 'frameMalformed', 'server')
    bad('CONFIRM with 2^32 - 1 exceptions', '4.4', confirm(1, 1, 1, exception_count=0xffffffff), 'frameMalformed', 'server')
    bad('CONFIRM through 2^53', '0.1', confirm(2 ** 53, 1, 1), 'frameMalformed', 'server')
    for level in (0, 4, 255):
        bad(f'CONFIRM level {level}', '4.4', confirm(1, 1, 1, [run(1, 1, 1, 1, level)]), 'frameMalformed', 'server')
    bad('CONFIRM run of no messages', '4.4', confirm(1, 1, 1, [run(1, 1, 0, 1, 1)]), 'frameMalformed', 'server')
    bad('CONFIRM run of sequence 0', '4.4', confirm(1, 1, 1, [run(0, 1, 1, 1, 1)]), 'frameMalformed', 'server')
    bad('CONFIRM run beyond through', '4.4', confirm(1, 9, 9, [run(1, 1, 2, 1, 1)]), 'frameMalformed', 'server')
    bad('CONFIRM run with a reserved byte', '4.4', confirm(1, 1, 1, [run(1, 1, 1, 1, 1, 1)]), 'frameMalformed', 'server')
    bad('CONFIRM exception of sequence 0', '4.4', confirm(1, 1, 1, [], [exception(0, 312)]), 'frameMalformed', 'server')
    bad('CONFIRM exception beyond through', '4.4', confirm(1, 9, 9, [], [exception(2, 312)]), 'frameMalformed', 'server')
    bad('CONFIRM exception with a detail larger than the frame', '4.4', confirm(1, 1, 1, [], [exception(1, 312, detail=b'a', detail_size=2)]), 'frameMalformed', 'server')
    bad('CONFIRM exception with a detail that is not UTF-8', '4.4', confirm(1, 1, 1, [], [exception(1, 312, detail=b'\xc3')]), 'frameMalformed', 'server')
    # control
    request = lambda name, clause, kind, body, error, channel=1, **more: bad(name, clause, frame(kind, channel, body, 4), error, **more)
    request('an empty body', '6.0', 'OPEN', b'', 'requestInvalid')
    request('half an object', '6.0', 'OPEN', b'{', 'requestInvalid')
    request('a list', '6.0', 'OPEN', b'[]', 'requestInvalid')
    request('null', '6.0', 'OPEN', b'null', 'requestInvalid')
    request('two objects', '6.0', 'OPEN', b'{}{}', 'requestInvalid')
    request('a byte-order mark', '0.3', 'OPEN', b'\xef\xbb\xbf{}', 'requestInvalid')
    request('a body that is not UTF-8', '6.0', 'CHECK_QUEUE', b'{"queue":"\xff"}', 'requestInvalid')
    request('a surrogate in bytes', '0.3', 'CHECK_QUEUE', b'{"queue":"\xed\xa0\x80"}', 'requestInvalid')
    request('half a surrogate pair as an escape', '0.3', 'CHECK_QUEUE', b'{"queue":"\\ud800"}', 'requestInvalid')
    request('a body of 65,537 bytes', '6.0', 'OPEN', b'{}' + b' ' * 65535, 'requestInvalid')
    request('a deep list', '6.0', 'OPEN', b'[' * 60000, 'requestInvalid')
    request('a field that is not known', '6.0', 'OPEN', b'{"fast":true}', 'optionUnsupported', names='fast')
    request('a field that is called __proto__', '6.0', 'DECLARE_QUEUE', b'{"queue":"q","__proto__":{"durable":true}}', 'optionUnsupported', names='__proto__')
    request('a field that is called constructor', '6.0', 'DECLARE_QUEUE', b'{"queue":"q","constructor":1}', 'optionUnsupported', names='constructor')
    request('an option that is not built yet', '6.0', 'DECLARE_QUEUE', js({'queue': 'q', 'priorities': 10}), 'optionUnsupported', names='priorities')
    request('a queue that is missing', '6.5', 'CHECK_QUEUE', b'{}', 'requestInvalid')
    request('a queue that is a number', '6.5', 'CHECK_QUEUE', b'{"queue":1}', 'requestInvalid')
    request('a queue of 256 bytes', '3.3', 'CHECK_QUEUE', js({'queue': 'q' * 256}), 'nameTooLong')
    request('a queue of 128 characters and 256 bytes', '3.3', 'CHECK_QUEUE', js({'queue': 'é' * 128}), 'nameTooLong')
    request('a key of 256 bytes', '3.3', 'BIND_QUEUE', js({'queue': 'q', 'exchange': 'x', 'key': 'k' * 256}), 'nameTooLong')
    request('an exchange type that is not there', '6.4', 'DECLARE_EXCHANGE', js({'exchange': 'x', 'type': 'random'}), 'requestInvalid')
    request('durable as a word', '6.5', 'DECLARE_QUEUE', js({'queue': 'q', 'durable': 'yes'}), 'requestInvalid')
    request('consumer 0', '5.1', 'CONSUME', js({'consumer': 0, 'queue': 'q'}), 'requestInvalid')
    request('consumer 2^32', '5.1', 'CONSUME', js({'consumer': 2 ** 32, 'queue': 'q'}), 'requestInvalid')
    request('consumer 1.5', '5.1', 'CONSUME', js({'consumer': 1.5, 'queue': 'q'}), 'requestInvalid')
    request('an ack mode that is not there', '6.6', 'CONSUME', js({'consumer': 1, 'queue': 'q', 'ack': 'auto'}), 'requestInvalid')
    request('a prefetch below 0', '6.6', 'CONSUME', js({'consumer': 1, 'queue': 'q', 'prefetch': -1}), 'requestInvalid')
    request('a priority of 1,001', '6.6', 'CONSUME', js({'consumer': 1, 'queue': 'q', 'priority': 1001}), 'requestInvalid')
    request('a wait of 600,001 ms', '6.6', 'GET', js({'consumer': 1, 'queue': 'q', 'waitMs': 600001}), 'requestInvalid')
    request('expires 0', '6.5', 'DECLARE_QUEUE', js({'queue': 'q', 'expiresMs': 0}), 'requestInvalid')
    request('expires above a year', '6.5', 'DECLARE_QUEUE', js({'queue': 'q', 'expiresMs': 31536000001}), 'requestInvalid')
    request('a list that is not there', '6.7', 'LIST', js({'kind': 'secrets'}), 'requestInvalid', 0)
    request('a page of 1,001', '6.7', 'LIST', js({'kind': 'queues', 'limit': 1001}), 'requestInvalid', 0)
    request('HELLO without a client', '6.1', 'HELLO', b'{}', 'requestInvalid', 0)
    request('a heartbeat of 4,999 ms', '6.1', 'HELLO', js(dict(HELLO, heartbeatMs=4999)), 'requestInvalid', 0)
    request('a heartbeat of 600,001 ms', '6.1', 'HELLO', js(dict(HELLO, heartbeatMs=600001)), 'requestInvalid', 0)
    request('a password of 1,025 characters', '6.1', 'HELLO', js(dict(HELLO, password='p' * 1025)), 'requestInvalid', 0)
    binding = lambda name, headers, error='requestInvalid': request(name, '6.9', 'BIND_QUEUE', js({'queue': 'q', 'exchange': 'x', 'headers': headers}), error)
    binding('a header that is a list', {'h': []})
    binding('a header that is an object', {'h': {}})
    binding('an i64 that is not a number', {'h': {'i64': 'one'}})
    binding('an i64 of 2^63', {'h': {'i64': '9223372036854775808'}})
    binding('an f64 that JSON can say', {'h': {'f64': '1.5'}})
    binding('bytes that are not base64', {'h': {'bytes': '!'}})
    binding('a header with two forms', {'h': {'i64': '1', 'bytes': ''}})
    binding('a header without a name', {'': 1})
    binding('a header name of 256 bytes', {'n' * 256: 1}, 'nameTooLong')
    binding('65 headers in a binding', {f'h{i}': 1 for i in range(65)})
    binding('headers of more than 8 KiB in a binding', {'a': 'x' * 8000, 'b': 'y' * 500})
    answer = lambda name, clause, kind, body, channel=1, **more: bad(name, clause, frame(kind, channel, body), 'requestInvalid', 'server', **more)
    answer('STATUS of a state that is not there', '6.3', 'STATUS', js({'state': 'tired'}), 0)
    answer('STATUS blocked without a reason', '6.3', 'STATUS', js({'state': 'blocked'}), 0)
    answer('CANCELLED for a reason that is not there', '5.7', 'CANCELLED', js({'consumer': 1, 'reason': 'bored'}))
    answer('ERROR without a code', '6.8', 'ERROR', js({'name': 'notFound', 'scope': 'request', 'retryable': False, 'message': 'm'}))
    answer('ERROR of scope message', '6.8', 'ERROR', js({'code': 312, 'name': 'unroutable', 'scope': 'message', 'retryable': False, 'message': 'm'}))
    return out


def save(name, clause, about, vectors):
    names = [v['name'] for v in vectors]
    assert len(names) == len(set(names)), [n for n in names if names.count(n) > 1]
    with open(os.path.join(HERE, name), 'w', encoding='utf-8') as out:
        out.write('{\n  "clause": %s,\n  "about": %s,\n  "vectors": [\n' % (json.dumps(clause), json.dumps(about)))
        out.write(',\n'.join('    ' + json.dumps(v, ensure_ascii=False) for v in vectors))
        out.write('\n  ]\n}\n')


if __name__ == '__main__':
    save('preface.json', '1', 'The first bytes of a connection and what they are.', preface())
    save('records.json', '3', 'Records and what is in them.', records())
    save('frames.json', '2', 'Whole frames of every type and what they say.', frames())
    save('invalid.json', '2-6', 'Bytes that are refused, and the error that they raise.', invalid())
