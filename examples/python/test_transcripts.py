"""The client against every transcript of spec/transcripts that is for clients: a thread plays the server over a pair of sockets."""
import json
import socket
import struct
import threading
import unittest
from pathlib import Path

import meaning
from codec import encode_frame
from waybill import Connection, Message, WaybillError

TRANSCRIPTS = Path(__file__).resolve().parents[2] / 'spec' / 'transcripts'
TIMEOUT_S = 5
ERRORS = {  # what the user of the client is told, where the transcript ends with a fault
    'password-bad-client': 'authenticationFailed', 'version-refused-client': 'versionUnsupported', 'server-http': 'frameMalformed',
    'server-bad-deliver': 'frameMalformed', 'server-malformed': 'frameMalformed', 'server-too-small': 'frameMalformed',
    'server-wrong-direction': 'frameUnexpected', 'server-forced': 'connectionForced',
}


class Server:
    """Plays the steps of the server, and compares those of the client."""

    def __init__(self, transcript, stream: socket.socket):
        self.steps = transcript['steps']
        self.values = {f'<{name}>': value for name, value in transcript.get('values', {}).items()}
        self.chosen = {'<product>', '<version>', '<consumer>', '<needed>'}  # by the client, when it says them for the first time
        self.stream, self.correlations = stream, {}
        self.played, self.failure = [threading.Event() for _ in self.steps], None

    def play(self):
        try:
            for step, played in zip(self.steps, self.played):
                for frame in step['server'] if isinstance(step.get('server'), list) else [step.get('server')]:
                    self.say(frame)
                if 'client' in step:
                    self.hear(step['client'])
                played.set()
        except Exception as failure:
            self.failure = failure
        finally:
            for played in self.played:
                played.set()
            self.stream.close()

    def say(self, frame):
        if frame == 'ends':
            self.stream.shutdown(socket.SHUT_WR)
        elif isinstance(frame, str):
            self.stream.sendall(bytes.fromhex(frame))
        elif frame and 'line' in frame:
            self.stream.sendall(frame['line'].encode() + b'\r\n')
        elif frame and 'body' in frame:
            self.stream.sendall(encode_frame(meaning.TYPES[frame['type']], frame['channel'], bytes.fromhex(frame['body'])))
        elif frame:
            frame = self.filled(frame)
            if 'correlation' in frame:  # a number that the client has not said yet answers nothing
                frame['correlation'] = self.correlations.get(frame['correlation'], frame['correlation'])
            self.stream.sendall(meaning.from_server(frame))

    def hear(self, expected):
        if expected == 'ends':
            assert self.stream.recv(1) == b'', 'the client should have ended the connection'
        elif isinstance(expected, str):
            assert self.exactly(len(bytes.fromhex(expected))) == bytes.fromhex(expected)
        else:
            size = self.exactly(4)
            self.compare(expected, size + self.exactly(int.from_bytes(size, 'big')))

    def compare(self, expected, data: bytes):
        if 'correlation' in expected:
            correlation, = struct.unpack_from('>I', data, 8)
            expected = {**expected, 'correlation': self.correlations.setdefault(expected['correlation'], correlation)}
        if 'json' in expected:
            actual = json.loads(data[12:])
            self.match(expected['json'], actual)
            expected = {**expected, 'json': actual}
        elif expected['type'] == 'WINDOW':
            self.match(expected, {**expected, 'size': struct.unpack_from('>I', data, 16)[0]})
        assert meaning.from_client(self.filled(expected)) == data, f'{data.hex()} instead of {expected}'

    def match(self, expected, actual):
        if isinstance(expected, dict):
            surplus = actual.keys() - expected.keys()
            assert not surplus, f'fields that are not expected: {surplus}'
            for name, value in expected.items():
                if name in actual or value != '<maybe>':
                    self.match(value, actual[name])
        elif isinstance(expected, str) and expected.startswith('<'):
            if expected in self.chosen:
                self.values[expected] = actual
                self.chosen.remove(expected)
            assert expected in ('<maybe>', '<any>') or self.values[expected] == actual
        else:
            assert expected == actual, f'{actual!r} instead of {expected!r}'

    def filled(self, it):
        if isinstance(it, dict):
            return {name: self.filled(value) for name, value in it.items() if value != '<maybe>'}
        if isinstance(it, list):
            return [self.filled(one) for one in it]
        return self.values.get(it, it) if isinstance(it, str) else it

    def exactly(self, size: int) -> bytes:
        data = b''
        while len(data) < size:
            piece = self.stream.recv(size - len(data))
            assert piece, f'the client ended after {data.hex()}'
            data += piece
        return data


class Program:
    """The calls of a transcript, made with this client."""

    def __init__(self, stream: socket.socket):
        self.stream, self.connection, self.channel, self.consumer, self.outcome = stream, None, None, None, None

    def connect(self):
        self.connection = Connection(self.stream, TIMEOUT_S, {})
        self.channel = self.connection.channel()

    def close(self):
        self.connection.close()

    def sendToQueue(self, queue, text):
        message = Message(text.encode(), routing_key=queue, properties={'contentType': 'text/plain'})
        self.outcome = self.channel.publish(message, mandatory=True)

    def expect(self, _, taken):
        found = self.outcome.result(TIMEOUT_S)
        assert taken.items() <= {'queues': found.queue_count, 'level': found.level}.items(), found

    def expectError(self, call, error):
        found = self.outcome.exception(TIMEOUT_S) if call == 'sendToQueue' else self.outcome
        assert isinstance(found, WaybillError) and found.name == error['code'], found

    def consume(self, queue):
        self.consumer = self.channel.consume(queue)

    def get(self, queue):
        try:
            self.outcome = self.channel.get(queue)
        except WaybillError as error:
            self.outcome = error

    def expectMessage(self, text):
        delivery = self.consumer.next(TIMEOUT_S) if self.consumer else self.outcome
        assert delivery.message.body == text.encode(), delivery
        if self.consumer:
            delivery.ack()


class Transcripts(unittest.TestCase):
    def play(self, name: str, transcript):
        ours, theirs = socket.socketpair()
        ours.settimeout(TIMEOUT_S)
        theirs.settimeout(TIMEOUT_S)
        server, program, error = Server(transcript, theirs), Program(ours), None
        thread = threading.Thread(target=server.play)
        thread.start()
        try:
            for index, step in enumerate(transcript['steps']):
                if 'call' in step:
                    self.assertTrue(index == 0 or server.played[index - 1].wait(2 * TIMEOUT_S))
                    getattr(program, step['call'][0])(*step['call'][1:])
        except WaybillError as caught:
            error = caught
        thread.join(2 * TIMEOUT_S)
        if server.failure:
            raise server.failure
        if name in ERRORS:
            error = error or self.end_of(program.connection)
            self.assertEqual(error and error.name, ERRORS[name])
        elif error:
            raise error

    def end_of(self, connection):
        with connection.changed:
            connection.changed.wait_for(lambda: connection.error, TIMEOUT_S)
        return connection.error  # an ERROR of the server, or what the client has found wrong

    def test_a_type_that_is_not_known_is_dropped(self):
        transcript = json.loads((TRANSCRIPTS / 'opening-client.json').read_text(encoding='utf-8'))
        unknown = [{'server': '00000006 55 f0 0001 abcd'}, {'server': '00000008 fe 01 0000 00000063'}]
        calls = [index for index, step in enumerate(transcript['steps']) if step == {'call': ['close']}]
        transcript['steps'][calls[0]:calls[0]] = unknown
        self.play('opening-client', transcript)

    def test_every_transcript_for_clients_is_survived(self):
        names = []
        for path in sorted(TRANSCRIPTS.glob('*.json')):
            transcript = json.loads(path.read_text(encoding='utf-8'))
            if 'client' in transcript['against']:
                names.append(path.stem)
                with self.subTest(path.stem):
                    self.play(path.stem, transcript)
        self.assertLessEqual(set(ERRORS), set(names))


if __name__ == '__main__':
    unittest.main()
