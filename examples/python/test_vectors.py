"""The client's codec against spec/vectors: python3 -m unittest, in this folder. The expected bytes and errors stand in those files."""
import json
import struct
import unittest
from pathlib import Path

import meaning
from codec import DELIVER, ERRORS, FrameReader, WaybillError, check_preface, decode_json, decode_record, encode_frame, encode_record

SPEC = Path(__file__).resolve().parents[2] / 'spec'


def vectors(name: str) -> list:
    return json.loads((SPEC / 'vectors' / f'{name}.json').read_text(encoding='utf-8'))['vectors']


def read(data: bytes, size: int = 0, opening: bool = False) -> list:
    """Every frame in these bytes, fed in pieces of this size, decoded down to the last field."""
    frames = FrameReader()
    if not opening:
        frames.size_max = 16 * 1024 * 1024 + 64 * 1024
    found = []
    for start in range(0, len(data), size or len(data)):
        frames.feed(data[start:start + (size or len(data))])
        frame = frames.next()
        while frame:
            found.append(meaning.of_server(frame))
            frame = frames.next()
    return found


class Vectors(unittest.TestCase):
    maxDiff = None

    def each(self, name: str, check, wanted=lambda vector: True):
        """Checks the vectors that are wanted, each as a test of its own; there have to be some."""
        chosen = [vector for vector in vectors(name) if wanted(vector)]
        self.assertTrue(chosen, f'no such vectors in {name}.json')
        for vector in chosen:
            with self.subTest(vector['name']):
                check(vector)

    def refused(self, error: str, action, *arguments):
        with self.assertRaises(WaybillError) as caught:
            action(*arguments)
        self.assertEqual(caught.exception.name, error)
        return caught.exception

    def test_the_table_of_errors_is_that_of_the_specification(self):
        table = json.loads((SPEC / 'errors.json').read_text(encoding='utf-8'))['errors']
        self.assertEqual(ERRORS, {row['code']: (row['name'], row['retryable']) for row in table})

    def test_prefaces_of_a_server(self):
        def check(vector):
            version, data = vector.get('version'), bytes.fromhex(vector['hex'])
            if version is None:
                self.refused('frameMalformed' if data else 'connectionLost', check_preface, data)
            elif version['major'] != 1 or version['refused']:
                self.refused('versionUnsupported', check_preface, data)
            else:
                check_preface(data)
        self.each('preface', check, lambda vector: 'needMore' not in vector)

    def test_records_are_read(self):
        self.each('records', lambda vector: self.assertEqual(meaning.record(decode_record(bytes.fromhex(vector['hex']))), vector['record']))

    def test_records_are_written(self):
        self.each('records', lambda vector: self.assertEqual(encode_record(meaning.message(vector['record'])).hex(), vector['hex']),
                  lambda vector: 'oneWay' not in vector)

    def test_frames_of_a_client_are_written(self):
        self.each('frames', lambda vector: self.assertEqual(meaning.from_client(vector['frame']).hex(), vector['hex']),
                  lambda vector: vector['from'] == 'client' and 'oneWay' not in vector)

    def test_frames_of_a_server_are_read_whole_and_cut_anywhere(self):
        def check(vector):
            data = bytes.fromhex(vector['hex'])
            expected = {name: value for name, value in vector['frame'].items() if name != 'answers'}
            self.assertEqual(read(data), [expected])
            self.assertEqual(read(data + data, size=1), [expected, expected])
            for cut in range(1, len(data)):
                self.assertEqual(read(data[:cut]), [])
        self.each('frames', check, lambda vector: vector['from'] == 'server')

    def test_frames_of_a_server_are_laid_out_right_by_the_tests(self):
        self.each('frames', lambda vector: self.assertEqual(meaning.from_server(vector['frame']).hex(), vector['hex']),
                  lambda vector: vector['from'] == 'server')

    def test_what_no_server_may_send_is_refused(self):
        def check(vector):
            self.refused(vector['error'], read, bytes.fromhex(vector['hex']))
            self.refused(vector['error'], read, bytes.fromhex(vector['hex']), 1)
        self.each('invalid', check, lambda vector: vector['from'] == 'server')

    def test_what_neither_side_may_send_is_refused(self):
        """Sizes, correlation id 0, HEARTBEAT and types that are not known: the rules are the same for both directions."""
        def either(vector):
            name, kind = vector['name'], vector['hex'][8:10]
            return vector['clause'] == '2.2' or vector['error'] == 'unsupported' or name == 'correlation id 0' or kind == '07'
        def check(vector):
            self.refused(vector['error'], read, bytes.fromhex(vector['hex']), 0, vector.get('opening', False))
        self.each('invalid', check, either)

    def test_what_is_wrong_in_a_record_is_refused_in_a_delivery_too(self):
        """Records of PUBLISH vectors; but for the flag that only a broker may set."""
        def record(vector):
            inside = vector['error'] in ('messageMalformed', 'propertyUnsupported')
            return vector['from'] == 'client' and inside and vector['name'] != 'record flag 0x02 from a publisher'
        def check(vector):
            error = self.refused(vector['error'], decode_record, bytes.fromhex(vector['hex'])[24:])
            self.assertIn(vector.get('names', ''), error.message)
        self.each('invalid', check, record)

    def test_records_that_do_not_fill_their_frame_are_refused_in_a_delivery_too(self):
        """PUBLISH vectors again, with the header of a DELIVER."""
        def filling(vector):
            return vector['clause'] == '4.1' and 'record' in vector['name'] and 'reserved' not in vector['name'] and len(vector['hex']) > 48
        def check(vector):
            data = bytes.fromhex(vector['hex'])
            count, = struct.unpack_from('>I', data, 16)
            self.refused('frameMalformed', read, encode_frame(DELIVER, 1, struct.pack('>QQII', 1, 1, count, 1) + data[24:]))
        self.each('invalid', check, filling)
        self.refused('frameMalformed', read, encode_frame(DELIVER, 1, struct.pack('>QQIII', 1, 1, 1, 1, 11) + bytes(11)))

    def test_what_is_no_json_object_is_refused(self):
        def text(vector):
            return vector['clause'] in ('0.3', '6.0') and vector['error'] == 'requestInvalid' and '65,537' not in vector['name']
        self.each('invalid', lambda vector: self.refused('requestInvalid', decode_json, bytes.fromhex(vector['hex'])[12:]), text)
        self.refused('requestInvalid', decode_json, b'{"what Python takes for a number": NaN}')


if __name__ == '__main__':
    unittest.main()
