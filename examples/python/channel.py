"""What happens on one channel of a connection: requests, publishing under credit [P-4], deliveries and their settlement [P-5].

Invariant: sequences, sizes and credit are counted from OPEN, and no record is sent that the credit does not cover.
"""
import itertools
import threading
from collections import deque
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple, Optional

from codec import (CANCELLED, CONFIRM, CREDIT, DELIVER, ERRORS, LEVELS, PUBLISH, SETTLE, WINDOW, Confirm, Deliver, Frame, Message,
                   SettleEntry, WaybillError, decode_confirm, decode_credit, decode_deliver, decode_error, decode_pushed, encode_frame,
                   encode_publish, encode_record, encode_settle, encode_window, json_headers)


class Taken(NamedTuple):
    """A message that the broker has taken into so many queues, at this level [P-10.1]."""
    message_id: str
    queue_count: int
    level: str


class Channel:
    """Requests, publishing and deliveries in one order. A refusal that nobody waits for is raised by the next call."""

    def __init__(self, connection, number: int):
        self.connection, self.number = connection, number
        self.error: Optional[Exception] = None       # the channel has ended
        self._refused: Optional[WaybillError] = None
        self._publishing = threading.Lock()          # sequences reach the wire in order
        self._sequence = self._size = 0              # published so far
        self._credit_sequence = self._credit_size = 0
        self._undecided: Dict[int, futures.Future] = {}
        self._consumers: Dict[int, 'Consumer'] = {}
        self._consumer_ids = itertools.count(1)

    def request(self, name: str, **fields) -> Dict[str, Any]:
        """Any control message of clauses 6.2 to 6.6, such as request('PURGE_QUEUE', queue='work')."""
        self._check()
        return self.connection.request(name, self.number, **fields)

    def declare_exchange(self, exchange: str, type: str, **options) -> Dict[str, Any]:
        return self.request('DECLARE_EXCHANGE', exchange=exchange, type=type, **options)

    def declare_queue(self, queue: str = '', **options) -> Dict[str, Any]:
        return self.request('DECLARE_QUEUE', queue=queue, **options)

    def bind_queue(self, queue: str, exchange: str, key: str = '', **options) -> Dict[str, Any]:
        if 'headers' in options:
            options['headers'] = json_headers(options['headers'])
        return self.request('BIND_QUEUE', queue=queue, exchange=exchange, key=key, **options)

    def publish(self, message: Message, **options) -> Optional[futures.Future]:
        """One message; see `publish_all`."""
        return next(iter(self.publish_all([message], **options)), None)

    def publish_all(self, messages: List[Message], *, confirm=True, mandatory=False, atomic=False, level=None) -> List[futures.Future]:
        """Sends the messages as the credit allows, waiting for it, and returns a future for each: Taken, or a WaybillError.

        Without `confirm` there are no futures, and only refusals are heard of. `atomic`: one outcome for all.
        `level`: received, written or synced, if the best that can be had is not what is wanted.
        """
        records = [encode_record(message) for message in messages]
        limits = self.connection.limits
        if any(len(record) > limits['messageSizeMax'] for record in records):
            raise WaybillError('messageTooLarge', f'a record is larger than {limits["messageSizeMax"]} bytes')
        if atomic and 20 + sum(map(len, records)) > limits['frameSizeMax']:
            raise WaybillError('frameTooLarge', 'an atomic frame larger than the broker takes')
        flags = 0x02 * confirm | 0x04 * mandatory | 0x08 * atomic | LEVELS[level] << 4
        confirms: List[futures.Future] = []
        with self._publishing:
            while records:
                group = self._credited(records, atomic)
                del records[:len(group)]
                with self.connection.changed:
                    first = self._sequence + 1
                    self._sequence += len(group)
                    self._size += sum(map(len, group))
                    new = {first + n: new_future() for n in range(len(group))} if confirm else {}
                    self._undecided.update(new)
                    confirms += new.values()
                self.connection.send(encode_frame(PUBLISH, self.number, encode_publish(first, group), flags=flags))
        return confirms

    def _credited(self, records: List[bytes], atomic: bool) -> List[bytes]:
        """The first of these records that one frame may carry now; waits for credit, asks for it when nothing else brings it [P-4.6]."""
        asked = False
        while True:
            with self.connection.changed:
                self._check()
                count = size = 0
                for record in records[:self._credit_sequence - self._sequence]:
                    larger = size + len(record)
                    if self._size + larger > self._credit_size or (count and larger > 65000 and not atomic):
                        break
                    count, size = count + 1, larger
                if count == len(records) or (count and not atomic):
                    return records[:count]
                need = sum(map(len, records if atomic else records[:1]))
                if asked or self._undecided or self._size + need <= self._credit_size:  # messages are granted without asking
                    self.connection.changed.wait()
                    continue
            asked = True
            self.connection.send(encode_frame(WINDOW, self.number, encode_window(0, 0, need)))

    def consume(self, queue: str, *, ack: str = 'manual', **options) -> 'Consumer':
        """Options of clause 6.6: prefetch, prefetchSize, exclusive, priority."""
        consumer = self._new_consumer(ack)
        try:
            self.request('CONSUME', consumer=consumer.id, queue=queue, ack=ack, **options)
        except BaseException:
            self._consumers.pop(consumer.id, None)
            raise
        return consumer

    def get(self, queue: str, *, ack: str = 'manual', wait_ms: int = 0) -> Optional['Delivery']:
        """One message, or None if none came within `wait_ms` [P-5.8]."""
        consumer = self._new_consumer(ack)
        try:
            answer = self.request('GET', consumer=consumer.id, queue=queue, ack=ack, waitMs=wait_ms, extra_s=wait_ms / 1000)
        finally:
            self._consumers.pop(consumer.id, None)
        return consumer.waiting.popleft() if answer['found'] else None

    def settle(self, *entries: SettleEntry, wait: bool = False):
        """With `wait` returns when the settlement is safe [P-10.5]; without, a refusal is raised by the next call."""
        self._check()
        body = encode_settle(list(entries))
        if wait:
            self.connection.ask(SETTLE, self.number, body, self.connection.timeout)
        else:
            self.connection.send(encode_frame(SETTLE, self.number, body))

    def close(self):
        """Everything published before is decided when this returns [P-6.2]; what is unsettled goes back to its queues [P-5.9]."""
        if self.error is None:
            self.request('CLOSE')
            self.end(WaybillError('channelUnknown', 'this channel was closed here', scope='channel'))

    def raise_credit(self, sequence: int, size: int):
        """Credit never goes down, whichever comes first: the answer of OPEN or a CREDIT behind it."""
        with self.connection.changed:
            self._credit_sequence = max(self._credit_sequence, sequence)
            self._credit_size = max(self._credit_size, size)
            self.connection.changed.notify_all()

    def take_error(self, error: WaybillError, answers: bool):
        if error.scope == 'channel':
            self.end(error)
        elif not answers:
            self._refused = error

    def take(self, frame: Frame):
        """A frame for this channel, in the thread that reads."""
        if frame.type == DELIVER:
            deliver = decode_deliver(frame)
            with self.connection.changed:
                consumer = self._consumers.get(deliver.consumer)
                if consumer:
                    consumer.waiting.extend(Delivery.each(consumer, deliver))
                self.connection.changed.notify_all()
            if not consumer:  # it was given up while these were on their way [P-5.7]
                back = encode_settle([SettleEntry(deliver.first_tag, len(deliver.messages), 'requeue')])
                self.connection.send(encode_frame(SETTLE, self.number, back))
        elif frame.type == CONFIRM:
            self._decide(decode_confirm(frame))
        elif frame.type == CREDIT:
            self.raise_credit(*decode_credit(frame))
        elif frame.type == CANCELLED:
            value = decode_pushed(frame)
            why = decode_error(value['error']) if 'error' in value else WaybillError('cancelled', value['reason'])
            self.end_consumer(value['consumer'], why)

    def _decide(self, confirm: Confirm):
        """In the order of clause 12.3: credit, runs, exceptions. What was published without confirm is known by its exceptions only."""
        self.raise_credit(confirm.credit_sequence, confirm.credit_size)
        outcomes: Dict[int, tuple] = {}
        for run in confirm.runs:
            for n in range(run.count):
                message_id = f'{self.connection.log}-{run.first_message_id + n}'
                outcomes[run.first_sequence + n] = (Taken(message_id, run.queue_count, run.level), None)
        for sequence, code, queue_count, detail in confirm.exceptions:
            name = ERRORS.get(code, ('unknown', False))[0]
            error = WaybillError(name, detail, code=code, details={'sequence': sequence, 'queueCount': queue_count})
            outcomes[sequence] = (None, error)
        with self.connection.changed:
            named = list(itertools.takewhile(lambda sequence: sequence <= confirm.through, self._undecided))
            if confirm.through > self._sequence or not outcomes.keys() >= set(named):
                raise WaybillError('frameUnexpected', 'CONFIRM of what was not published, or without an outcome for what was')
            decided = [(self._undecided.pop(sequence), outcomes.pop(sequence)) for sequence in named]
            for _, error in outcomes.values():  # what is left was published without confirm
                self._refused = error or self._refused
            self.connection.changed.notify_all()
        for future, (taken, error) in decided:
            settle(future, taken, error)

    def end(self, error: Exception):
        """The channel or its connection has ended; whether what was undecided has been taken is not known [P-10.4]."""
        with self.connection.changed:
            self.error = self.error or error
            undecided, self._undecided = self._undecided, {}
            for id in list(self._consumers):
                self.end_consumer(id, error)
            self.connection.changed.notify_all()
        self.connection.forget(self.number, error)
        for future in undecided.values():
            settle(future, None, error)

    def end_consumer(self, id: int, why: Exception):
        with self.connection.changed:
            consumer = self._consumers.pop(id, None)
            if consumer:
                consumer.ended = why
            self.connection.changed.notify_all()

    def _new_consumer(self, ack: str) -> 'Consumer':
        with self.connection.changed:
            consumer = Consumer(self, next(self._consumer_ids), ack)
            self._consumers[consumer.id] = consumer
            return consumer

    def _check(self):
        refused, self._refused = self._refused, None
        for error in (self.error, self.connection.error, refused):
            if error is not None:
                raise error


@dataclass
class Delivery:
    """A message on its way to us. Settle it once, with one of the four outcomes [P-5.4]."""
    message: Message
    tag: int
    message_id: str
    redelivered: bool
    delivery_count: int
    failure_count: int
    consumer: 'Consumer' = field(repr=False)

    @staticmethod
    def each(consumer: 'Consumer', deliver: Deliver):
        log = consumer.channel.connection.log
        for n, message in enumerate(deliver.messages):
            yield Delivery(message, deliver.first_tag + n, f'{log}-{deliver.first_message_id + n}', deliver.redelivered,
                           deliver.delivery_count, deliver.failure_count, consumer)

    def ack(self, *, wait: bool = False):
        self.consumer.channel.settle(SettleEntry(self.tag), wait=wait)

    def requeue(self, *, wait: bool = False):
        self.consumer.channel.settle(SettleEntry(self.tag, outcome='requeue'), wait=wait)

    def retry(self, delay_ms: Optional[int] = None, reason: str = '', *, wait: bool = False):
        """A failure: comes back after `delay_ms`, or when the broker thinks fit."""
        self.consumer.channel.settle(SettleEntry(self.tag, 1, 'retry', delay_ms, reason), wait=wait)

    def reject(self, reason: str = '', *, wait: bool = False):
        self.consumer.channel.settle(SettleEntry(self.tag, 1, 'reject', None, reason), wait=wait)


class Consumer:
    """Deliveries of one queue, in order. A loop over it ends after `cancel`, and raises when the broker or the connection has ended it."""

    def __init__(self, channel: Channel, id: int, ack: str):
        self.channel, self.id, self.ack = channel, id, ack
        self.waiting: 'deque[Delivery]' = deque()  # never more than the window [P-5.3]
        self.ended: Optional[Exception] = None

    def next(self, timeout: Optional[float] = None) -> Delivery:
        """Raises TimeoutError after `timeout` seconds, StopIteration when it was cancelled here, WaybillError when it was ended."""
        changed = self.channel.connection.changed
        with changed:
            if not changed.wait_for(lambda: self.waiting or self.ended, timeout):
                raise TimeoutError(f'no delivery within {timeout} s')
            if not self.waiting:
                raise self.ended
            delivery = self.waiting.popleft()
        if self.ack == 'none':
            delivery.ack()  # returns its place in the window, nothing else [P-5.5]
        return delivery

    __next__ = next

    def __iter__(self):
        return self

    def window(self, count: int, size: int):
        """This many unsettled messages and bytes from now on; 0 of either pauses [P-5.3]."""
        self.channel.connection.send(encode_frame(WINDOW, self.channel.number, encode_window(self.id, count, size)))

    def cancel(self) -> int:
        """Stops the deliveries; what has come already can still be read and settled. Returns how many are unsettled [P-5.7]."""
        answer = self.channel.request('CANCEL', consumer=self.id)
        self.channel.end_consumer(self.id, StopIteration())
        return answer['unsettledCount']


def new_future() -> futures.Future:
    future: futures.Future = futures.Future()
    future.set_running_or_notify_cancel()  # what has been sent cannot be cancelled
    return future


def settle(future: futures.Future, value: Any, error: Optional[BaseException]):
    future.set_exception(error) if error else future.set_result(value)
