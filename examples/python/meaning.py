"""The meanings of spec/vectors and spec/transcripts (their READMEs) in terms of this client, for the tests.

`from_client` writes what a client sends, with the client's own encoder. `of_server` says what the client reads in a frame. `from_server`
lays out what a server sends: that half no client has, so the tests bring their own.
"""
import base64
import struct

from codec import (CANCELLED, CONFIRM, CREDIT, DELIVER, ERROR, HEARTBEAT, LEVELS, PUBLISH, REQUESTS, RESULT, SETTLE, STATUS, WINDOW,
                   Message, SettleEntry, decode_confirm, decode_credit, decode_deliver, decode_error, decode_json, decode_pushed,
                   encode_frame, encode_json, encode_publish, encode_record, encode_settle, encode_window, json_headers)

TYPES = {'PUBLISH': PUBLISH, 'DELIVER': DELIVER, 'SETTLE': SETTLE, 'CONFIRM': CONFIRM, 'CREDIT': CREDIT, 'WINDOW': WINDOW,
         'HEARTBEAT': HEARTBEAT, 'RESULT': RESULT, 'ERROR': ERROR, 'STATUS': STATUS, 'CANCELLED': CANCELLED, **REQUESTS}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
PUBLISH_FLAGS = {'CONFIRM': 2, 'MANDATORY': 4, 'ATOMIC': 8}
DELIVER_FLAGS = {'REDELIVERED': 2, 'COUNTS': 4}


def header_value(value):
    """The JSON form of a header value [P-6.9] as Python's."""
    if isinstance(value, dict):
        (kind, text), = value.items()
        return {'i64': int, 'f64': float, 'bytes': base64.b64decode}[kind](text)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def message(record) -> Message:
    body = bytes.fromhex(record['body']) if 'body' in record else record.get('text', '').encode() or bytes(record.get('zeros', 0))
    headers = {name: header_value(value) for name, value in record.get('headers', {}).items()}
    return Message(body, record.get('exchange', ''), record.get('routingKey', ''), record.get('persistent', False),
                   record.get('properties', {}), headers)


def record(message: Message) -> dict:
    """A message as the vectors write it."""
    headers = json_headers(message.headers)
    headers = {name: header_value(value) if isinstance(value, float) else value for name, value in headers.items()}
    return {'exchange': message.exchange, 'routingKey': message.routing_key, 'persistent': message.persistent,
            'properties': message.properties, 'headers': headers, 'body': message.body.hex()}


def records(frame) -> list:
    return [encode_record(message(it)) for it in frame['records'] for _ in range(it.get('repeat', 1))]


def flags(frame, names) -> int:
    return sum(names[name] for name in frame.get('flags', []))


def from_client(frame) -> bytes:
    kind, channel = frame['type'], frame.get('channel', 0)
    if kind == 'PUBLISH':
        bits = flags(frame, PUBLISH_FLAGS) | LEVELS[frame.get('level')] << 4
        return encode_frame(PUBLISH, channel, encode_publish(frame['firstSequence'], records(frame)), flags=bits)
    if kind == 'SETTLE':
        entries = [SettleEntry(it['firstTag'], it.get('count', 1), it['outcome'], it.get('delayMs'), it.get('reason', ''))
                   for it in frame['entries']]
        return encode_frame(SETTLE, channel, encode_settle(entries), correlation=frame.get('correlation'))
    if kind == 'WINDOW':
        return encode_frame(WINDOW, channel, encode_window(frame['consumer'], frame['messageCount'], frame['size']))
    if kind == 'HEARTBEAT':
        return encode_frame(HEARTBEAT, 0)
    return encode_frame(REQUESTS[kind], channel, encode_json(frame['json']), correlation=frame['correlation'])


def from_server(frame) -> bytes:
    kind, channel, bits = frame['type'], frame.get('channel', 0), 0
    if kind == 'DELIVER':
        bits, data = flags(frame, DELIVER_FLAGS), records(frame)
        body = struct.pack('>QQII', frame['firstTag'], frame['firstMessageId'], len(data), frame['consumer'])
        if bits & 4:
            body += struct.pack('>II', frame.get('deliveryCount', 1), frame.get('failureCount', 0))
        body += b''.join(data)
    elif kind == 'CONFIRM':
        runs, exceptions = frame.get('runs', []), frame.get('exceptions', [])
        body = struct.pack('>QQQII', frame['through'], frame['creditSequence'], frame['creditSize'], len(runs), len(exceptions))
        for it in runs:
            body += struct.pack('>QQIHBB', it['firstSequence'], it['firstMessageId'], it['count'], it['queueCount'], LEVELS[it['level']], 0)
        for it in exceptions:
            detail = it.get('detail', '').encode()
            body += struct.pack('>QHHI', it['sequence'], it['code'], len(detail), it.get('queueCount', 0)) + detail
    elif kind == 'CREDIT':
        body = struct.pack('>QQ', frame['creditSequence'], frame['creditSize'])
    elif kind == 'HEARTBEAT':
        body = b''
    else:
        body = encode_json(frame['json'])
    return encode_frame(TYPES[kind], channel, body, flags=bits, correlation=frame.get('correlation'))


def of_server(frame) -> dict:
    """What the client reads in a frame of a server, as the vectors write it."""
    kind = TYPE_NAMES[frame.type]
    seen = {'type': kind, 'channel': frame.channel}
    if frame.correlation is not None:
        seen['correlation'] = frame.correlation
    if kind == 'DELIVER':
        it = decode_deliver(frame)
        seen['flags'] = [name for name, bit in DELIVER_FLAGS.items() if frame.flags & bit]
        seen.update(firstTag=it.first_tag, firstMessageId=it.first_message_id, consumer=it.consumer, deliveryCount=it.delivery_count,
                    failureCount=it.failure_count, records=[record(one) for one in it.messages])
    elif kind == 'CONFIRM':
        it = decode_confirm(frame)
        seen.update(through=it.through, creditSequence=it.credit_sequence, creditSize=it.credit_size)
        seen['runs'] = [dict(zip(('firstSequence', 'firstMessageId', 'count', 'queueCount', 'level'), run)) for run in it.runs]
        seen['exceptions'] = [dict(zip(('sequence', 'code', 'queueCount', 'detail'), one)) for one in it.exceptions]
    elif kind == 'CREDIT':
        seen['creditSequence'], seen['creditSize'] = decode_credit(frame)
    elif kind == 'ERROR':
        seen['json'] = decode_json(frame.body)
        decode_error(seen['json'])
    elif kind != 'HEARTBEAT':
        seen['json'] = decode_json(frame.body) if kind == 'RESULT' else decode_pushed(frame)
    return seen


