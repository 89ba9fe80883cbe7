"""Publishes 100 numbers with confirms, consumes and acks them, and adds up what came: python3 example.py localhost:7670

Odd numbers go to one queue, even ones to another, and all of them to a third. Every sum that is printed could be wrong; then it exits 1.
"""
import json
import sys

from waybill import Message, WaybillError, connect

COUNT = 100
BINDINGS = {'odd': 'number.odd', 'even': 'number.even', 'all': 'number.#'}


def main(host: str, port: int) -> bool:
    with connect(host, port) as connection:
        channel = connection.channel()
        exchange = 'python-example'
        channel.declare_exchange(exchange, 'topic', autoDelete=True)
        queues = {}
        for name, key in BINDINGS.items():
            queues[name] = channel.declare_queue(exclusive=True)['queue']
            channel.bind_queue(queues[name], exchange, key)

        numbers = range(1, COUNT + 1)
        confirms = channel.publish_all([
            Message(json.dumps({'n': n}).encode(), exchange, 'number.odd' if n % 2 else 'number.even', headers={'n': n},
                    properties={'contentType': 'application/json'})
            for n in numbers
        ], mandatory=True)
        taken = [confirm.result(10) for confirm in confirms]
        try:
            channel.publish(Message(b'', exchange, 'letter'), mandatory=True).result(10)
            refused = 'nothing'
        except WaybillError as error:
            refused = error.name

        received = {name: receive(channel, queue) for name, queue in queues.items()}
        left = {name: channel.request('CHECK_QUEUE', queue=queue) for name, queue in queues.items()}

    return all([
        show('confirmed', len(taken), COUNT),
        show('queues that took them', sum(one.queue_count for one in taken), 2 * COUNT),
        show('different message ids', len({one.message_id for one in taken}), COUNT),
        show('refused for want of a queue', refused, 'unroutable'),
        *(show(f'sum of {name}', sum(received[name]), sum(expected)) for name, expected in
          (('odd', numbers[::2]), ('even', numbers[1::2]), ('all', numbers))),
        show('in the order published', received['all'], list(numbers), quiet=True),
        show('left behind', sum(queue['messageCount'] + queue['unsettledCount'] for queue in left.values()), 0),
    ])


def receive(channel, queue: str) -> list:
    """Everything in a queue, ten at a time, each acked when it has been added; the last answer waits until all acks are safe."""
    count = channel.request('CHECK_QUEUE', queue=queue)['messageCount']
    consumer = channel.consume(queue, prefetch=10)
    numbers = []
    for _ in range(count):
        delivery = consumer.next(10)
        numbers.append(json.loads(delivery.message.body)['n'])
        delivery.ack(wait=len(numbers) == count)
    consumer.cancel()
    return numbers


def show(what: str, actual, expected, quiet: bool = False) -> bool:
    right = actual == expected
    print(f'{what}: {right if quiet else actual}' + ('' if right else f', but {expected} expected'))
    return right


if __name__ == '__main__':
    address = sys.argv[1] if len(sys.argv) > 1 else 'localhost:7670'
    host, _, port = address.rpartition(':')
    try:
        sys.exit(0 if main(host, int(port)) else 1)
    except (OSError, WaybillError) as error:
        sys.exit(f'{address}: {error}')
