# SPDX-License-Identifier: MIT
"""The server is trusted no further than needed: garbage, silence, strange descriptors."""

import os
import socket
import struct
import time
from typing import Callable, Iterator, List, Tuple

import pytest
from qtest_soc import FakeServer, Soc, Vm, bus_table, device_args, refusal, wait_for


@pytest.fixture(scope="module", name="shared")
def fixture_shared() -> Iterator[Soc]:
    with Soc(bus_table()) as soc:
        yield soc


def refuse(soc: Soc, script: Callable[[FakeServer, socket.socket], None]) -> str:
    """What QEMU says when a server behaves like script."""
    fake = soc.fake_server()
    fake.serve(lambda connection: script(fake, connection))
    return refusal(device_args(fake.socket, pct=soc.table.path, partition=2))


def greeted(soc: Soc, partition: int = 2) -> Tuple[FakeServer, socket.socket, Vm, List[int]]:
    """A QEMU that has come up with a fake server."""
    fake = soc.fake_server()
    got: List[Tuple[socket.socket, List[int]]] = []
    fake.serve(lambda connection: got.append((connection,
                                              fake.greet(connection, soc.table))))
    vm = soc.start(partition, server=fake.socket).boot()
    return (fake, got[0][0], vm, got[0][1])


def fds(vm: Vm) -> int:
    return len(os.listdir(f"/proc/{vm.get_pid()}/fd"))


def bad_greetings() -> List[object]:
    def say(*messages: object) -> Callable[[FakeServer, socket.socket], None]:
        """Numbers; a pair is a number with a descriptor."""
        def script(fake: FakeServer, connection: socket.socket) -> None:
            for message in messages:
                if isinstance(message, tuple):
                    fake.say(connection, message[0], fake.memory(1 << 20))
                else:
                    fake.say(connection, message)
        return script

    memory = (-1, "fd")
    return [pytest.param(why, say(*messages), id=name) for name, why, messages in (
        ("version", "it speaks version 1 of the protocol, not 0", [1]),
        ("version-fd", "it sent a descriptor with its version", [(0, "fd")]),
        ("id", "it gave us id -1, which is not in 0..65535", [0, -1]),
        ("id-fd", "it sent a descriptor with our id", [0, (5, "fd")]),
        ("order", "it sent 3 where the shared memory was due", [0, 5, (3, "fd")]),
        ("no-fd", "it sent no descriptor of the shared memory", [0, 5, -1]),
        ("twice", "it sent the shared memory twice", [0, 5, memory, memory]),
        ("gone", "it says that client 3 left, which was not there", [0, 5, memory, 3]),
        ("self-gone", "it says that we left ourselves", [0, 5, memory, 5]),
        ("peer", "it named a client 65536, which is not in 0..65535",
         [0, 5, memory, (65536, "fd")]),
        ("many", "it sent more than 64 vectors of client 1", [0, 5, memory] + [(1, "fd")] * 65),
    )]


@pytest.mark.parametrize("why, script", bad_greetings())
def test_bad_greeting(shared: Soc, why: str,
                      script: Callable[[FakeServer, socket.socket], None]) -> None:
    assert refuse(shared, script) == \
        f"what listens on chardev 'board' is no ivshmem-server: {why}"


def test_closes_at_once(shared: Soc) -> None:
    assert refuse(shared, lambda fake, connection: connection.close()) == \
        "what listens on chardev 'board' is no ivshmem-server: it closed the connection"


def test_speaks_http(shared: Soc) -> None:
    message = refuse(shared, lambda fake, connection: connection.sendall(b"HTTP/1.1 200 OK\r\n"))
    assert message.startswith("what listens on chardev 'board' is no ivshmem-server: it speaks "
                              "version ")


def test_says_nothing(shared: Soc) -> None:
    begin = time.monotonic()
    assert refuse(shared, lambda fake, connection: None) == \
        "no greeting came from chardev 'board' in 5 s: no ivshmem-server listens there"
    assert time.monotonic() - begin < 10


def test_memory_that_cannot_be_mapped(shared: Soc) -> None:
    def script(fake: FakeServer, connection: socket.socket) -> None:
        fake.say(connection, 0)
        fake.say(connection, 0)
        fake.say(connection, -1, fake.eventfd())
        for _ in range(shared.table.vectors):
            fake.say(connection, 0, fake.eventfd())
    assert refuse(shared, script).startswith("the ivshmem-server has 0 bytes of shared memory")


def test_bytes_in_drops(shared: Soc) -> None:
    """Messages may come in any pieces."""
    fake = shared.fake_server()

    def script(connection: socket.socket) -> None:
        for number, fd in [(0, None), (7, None), (-1, fake.memory(shared.table.total))] + \
                [(7, fake.eventfd()) for _ in range(shared.table.vectors)]:
            data = struct.pack("<q", number)
            socket.send_fds(connection, [data[:3]], [fd] if fd is not None else [])
            time.sleep(0.001)
            connection.sendall(data[3:])
    fake.serve(script)
    assert shared.start(2, server=fake.socket).get("link") is True


def test_more_than_needed(shared: Soc) -> None:
    """More vectors and more memory than the table needs; several descriptors in a message."""
    fake = shared.fake_server()

    def script(connection: socket.socket) -> None:
        fake.say(connection, 0)
        fake.say(connection, 0)
        fake.say(connection, -1, fake.memory(shared.table.total + (1 << 20)), fake.eventfd())
        for client in (4, 0):
            for _ in range(64):
                fake.say(connection, client, fake.eventfd())
    fake.serve(script)
    vm = shared.start(2, server=fake.socket)
    assert vm.get("memory-size") == shared.table.total + (1 << 20)
    # stdin and so on, its sockets, and the vectors that are needed: not 64 of each.
    wait_for(lambda: fds(vm) < 64, "extra descriptors are closed")


@pytest.mark.parametrize("number", [-1, -2, 0, 1, 65536, 1 << 40])
def test_garbage_later(shared: Soc, number: int) -> None:
    """The link is down, nothing else; what comes after that is closed."""
    fake, connection, vm, own = greeted(shared)
    before = fds(vm)
    fake.say(connection, number)
    wait_for(lambda: vm.get("link") is False, "the link goes down")
    for _ in range(20):
        fake.say(connection, 3, fake.eventfd())
        fake.say(connection, number, fake.eventfd(), fake.eventfd())
    wait_for(lambda: fds(vm) == before, "descriptors are closed")
    vm.ring(256)
    vm.expect_interrupt(257)
    # Doorbells still come in: bit and signal as a peer would make them.
    os.eventfd_write(own[1], 1)
    assert vm.register(0xc) == 0


def test_peers_come_and_go(shared: Soc) -> None:
    """No descriptor of a peer outlives it."""
    fake, connection, vm, _ = greeted(shared)
    before = fds(vm)
    for client in range(1, 40):
        for _ in range(shared.table.vectors):
            fake.say(connection, client, fake.eventfd())
        fake.say(connection, client)
    wait_for(lambda: fds(vm) == before, "descriptors are closed")
    assert vm.get("link") is True


def test_vectors_that_are_no_eventfds(shared: Soc) -> None:
    """Always readable, at its end, not writable: the VM goes on, others do too."""
    fake = shared.fake_server()
    strange = [os.open("/dev/zero", os.O_RDWR), os.open("/dev/null", os.O_RDONLY), *os.pipe()]
    os.close(strange.pop(2))

    def script(connection: socket.socket) -> None:
        fake.say(connection, 0)
        fake.say(connection, 0)
        fake.say(connection, -1, fake.memory(shared.table.total))
        for client in (9, 0):
            for vector in range(shared.table.vectors):
                fd = strange[vector] if vector < len(strange) else fake.eventfd()
                fake.say(connection, client, fd)
    fake.serve(script)
    vm = shared.start(2, server=fake.socket).boot()
    for queue in shared.table.of(2):
        vm.ring(queue.id)
    vm.expect_interrupt(256, 257)
    vm.quit()
    for fd in strange:
        os.close(fd)


def test_stray_bits(shared: Soc) -> None:
    """All bits of all doorbell words: only this partition's queues interrupt."""
    fake = shared.fake_server()
    memory = fake.memory(shared.table.total)
    own = [fake.eventfd() for _ in range(shared.table.vectors)]

    def script(connection: socket.socket) -> None:
        fake.say(connection, 0)
        fake.say(connection, 0)
        fake.say(connection, -1, memory)
        for fd in own:
            fake.say(connection, 0, fd)
    fake.serve(script)
    vm = shared.start(9, server=fake.socket).boot()
    os.pwrite(memory, b"\xff" * 0x1000, 0x100)
    for fd in own:
        os.eventfd_write(fd, 1)
    vm.expect_interrupt(11, 255)
    # A claim by a client that was never announced: the ring is lost, no more.
    os.pwrite(memory, b"\xff" * 64, 0x10)
    vm.ring(11)
    assert vm.register(8) == 9
