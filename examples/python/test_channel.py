"""A channel without a broker: what it sends under which credit, and what becomes of what was sent."""
import struct
import threading
import unittest

import meaning
from channel import Channel
from codec import PUBLISH, WINDOW, Frame, Message, WaybillError

RECORD_SIZE = 16 + 100


class Changed(threading.Condition):
    """Says when somebody begins to wait."""

    def __init__(self):
        super().__init__()
        self.somebody_waits = threading.Event()

    def wait(self, timeout=None):
        self.somebody_waits.set()
        return super().wait(timeout)


class Wire:
    """Stands for a connection: keeps what is sent, and lets a test wait for the n-th frame."""

    def __init__(self):
        self.changed = Changed()
        self.error, self.log, self.limits = None, 'log', {'messageSizeMax': 1000, 'frameSizeMax': 2000}
        self.sent = []

    def send(self, data: bytes):
        self.sent.append((data[4], data[8:]))

    def forget(self, number, error):
        pass


def message() -> Message:
    return Message(bytes(100))


class Publishing(unittest.TestCase):
    def setUp(self):
        self.wire = Wire()
        self.channel = Channel(self.wire, 1)

    def publish(self, count: int, **options):
        """Publishes from another thread, for it may wait; returns the thread and the list that the futures will be put in."""
        found = []

        def program():
            try:
                found.extend(self.channel.publish_all([message()] * count, **options))
            except WaybillError as error:
                found.append(error)
        thread = threading.Thread(target=program, daemon=True)
        thread.start()
        return thread, found

    def wait_until_it_waits(self):
        self.assertTrue(self.wire.changed.somebody_waits.wait(5))
        self.wire.changed.somebody_waits.clear()

    def sequences(self) -> list:
        """(first sequence, count) of each PUBLISH that was sent."""
        return [struct.unpack_from('>QI', body) for kind, body in self.wire.sent if kind == PUBLISH]

    def hear(self, frame):
        self.channel.take(Frame(meaning.TYPES[frame['type']], 0, 1, None, meaning.from_server({'channel': 1, **frame})[8:]))

    def test_no_more_messages_are_sent_than_the_credit_counts(self):
        self.channel.raise_credit(3, 10000)
        thread, _ = self.publish(5)
        self.wait_until_it_waits()
        self.hear({'type': 'CREDIT', 'creditSequence': 5, 'creditSize': 10000})
        thread.join(5)
        self.assertEqual(self.sequences(), [(1, 3), (4, 2)])

    def test_for_the_right_to_send_more_messages_nobody_asks(self):
        self.channel.raise_credit(0, 10000)
        thread, _ = self.publish(1)
        self.wait_until_it_waits()
        self.hear({'type': 'CONFIRM', 'through': 0, 'creditSequence': 1, 'creditSize': 10000})
        thread.join(5)
        self.assertEqual([kind for kind, _ in self.wire.sent], [PUBLISH])

    def test_no_more_bytes_are_sent_than_the_credit_covers(self):
        self.channel.raise_credit(100, 2 * RECORD_SIZE + RECORD_SIZE - 1)
        thread, _ = self.publish(3)
        self.wait_until_it_waits()
        self.hear({'type': 'CREDIT', 'creditSequence': 100, 'creditSize': 3 * RECORD_SIZE})
        thread.join(5)
        self.assertEqual(self.sequences(), [(1, 2), (3, 1)])

    def test_credit_is_asked_for_when_everything_is_decided_and_not_before(self):
        self.channel.raise_credit(100, RECORD_SIZE)
        thread, _ = self.publish(2)
        self.wait_until_it_waits()
        self.assertEqual([kind for kind, _ in self.wire.sent], [PUBLISH])
        run = {'firstSequence': 1, 'firstMessageId': 1, 'count': 1, 'queueCount': 1, 'level': 'received'}
        self.hear({'type': 'CONFIRM', 'through': 1, 'creditSequence': 100, 'creditSize': RECORD_SIZE, 'runs': [run]})
        self.wait_until_it_waits()
        self.assertEqual(self.wire.sent[1], (WINDOW, struct.pack('>III', 0, 0, RECORD_SIZE)))
        self.hear({'type': 'CREDIT', 'creditSequence': 100, 'creditSize': 2 * RECORD_SIZE})
        thread.join(5)
        self.assertEqual(self.sequences(), [(1, 1), (2, 1)])

    def test_an_atomic_frame_waits_until_all_of_it_is_covered(self):
        self.channel.raise_credit(1, 10000)
        thread, _ = self.publish(3, atomic=True)
        self.wait_until_it_waits()
        self.hear({'type': 'CREDIT', 'creditSequence': 2, 'creditSize': 10000})
        self.wait_until_it_waits()
        self.hear({'type': 'CREDIT', 'creditSequence': 3, 'creditSize': 10000})
        thread.join(5)
        self.assertEqual(self.sequences(), [(1, 3)])

    def test_every_message_has_an_outcome_of_its_own(self):
        self.channel.raise_credit(100, 10000)
        thread, found = self.publish(3)
        thread.join(5)
        runs = [{'firstSequence': 1, 'firstMessageId': 7, 'count': 1, 'queueCount': 2, 'level': 'received'},
                {'firstSequence': 3, 'firstMessageId': 8, 'count': 1, 'queueCount': 0, 'level': 'received'}]
        self.hear({'type': 'CONFIRM', 'through': 3, 'creditSequence': 100, 'creditSize': 10000, 'runs': runs,
                   'exceptions': [{'sequence': 2, 'code': 312, 'detail': 'no queue takes it'}]})
        self.assertEqual([tuple(found[0].result(0)), tuple(found[2].result(0))], [('log-7', 2, 'received'), ('log-8', 0, 'received')])
        self.assertEqual([found[1].exception(0).code, found[1].exception(0).message], [312, 'no queue takes it'])

    def test_a_refusal_without_confirm_is_raised_by_the_next_call(self):
        self.channel.raise_credit(100, 10000)
        self.assertIsNone(self.channel.publish(message(), confirm=False))
        refusal = {'sequence': 1, 'code': 404}
        self.hear({'type': 'CONFIRM', 'through': 1, 'creditSequence': 100, 'creditSize': 10000, 'exceptions': [refusal]})
        with self.assertRaises(WaybillError) as caught:
            self.channel.publish(message())
        self.assertEqual(caught.exception.name, 'notFound')

    def test_a_confirm_of_what_was_not_published_is_a_fault(self):
        with self.assertRaises(WaybillError) as caught:
            self.hear({'type': 'CONFIRM', 'through': 1, 'creditSequence': 0, 'creditSize': 0})
        self.assertEqual(caught.exception.name, 'frameUnexpected')

    def test_the_end_of_a_channel_is_the_end_of_all_that_waits(self):
        self.channel.raise_credit(1, 10000)
        thread, found = self.publish(1)
        thread.join(5)
        waiting, instead = self.publish(1)
        self.wait_until_it_waits()
        self.channel.end(WaybillError('connectionLost', 'gone'))
        waiting.join(5)
        self.assertEqual([found[0].exception(0).name, instead[0].name], ['connectionLost', 'connectionLost'])


if __name__ == '__main__':
    unittest.main()
