"""The same question to this program and to its peers, on one capture, in one run: user + system seconds and peak memory.

python bench/peers.py CAPTURE [ROUNDS]; the best of the rounds counts. Peers that are not installed are left out, and said.
Behind them, a table of streams from clean connections and from ones with loss, both made here: µs a frame.
"""

import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator

ANALYZE = [sys.executable, "-m", "analyzer"]
TEN = [
    "frame.number",
    "frame.time_epoch",
    "frame.len",
    "ip.src",
    "ip.dst",
    "ip.proto",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "tcp.seq_raw",
]
FIELDS = [word for name in TEN for word in ("-e", name)]
QUESTIONS = {  # question: {program: command}; the first peer is what ratios are taken against
    "conversations": {
        "tshark -q -z conv,tcp": ["tshark", "-n", "-q", "-z", "conv,tcp", "-r", "CAPTURE"],
        "analyze table conversations": [*ANALYZE, "table", "conversations", "CAPTURE"],
    },
    "what is in it": {
        "capinfos -c": ["capinfos", "-c", "CAPTURE"],
        "tcptrace -n": ["tcptrace", "-n", "CAPTURE"],
        "analyze": [*ANALYZE, "CAPTURE"],
        "analyze table captures": [*ANALYZE, "table", "captures", "CAPTURE"],
    },
    "TCP connections": {
        "tcptrace -n -l -r -W": ["tcptrace", "-n", "-l", "-r", "-W", "CAPTURE"],
        "analyze table streams": [*ANALYZE, "table", "streams", "CAPTURE"],
        "analyze table streams -T csv": [*ANALYZE, "table", "streams", "CAPTURE", "-T", "csv"],
    },
    "a line a packet": {
        "tcpdump -nn": ["tcpdump", "-nn", "-r", "CAPTURE"],
        "analyze packets": [*ANALYZE, "packets", "CAPTURE"],
    },
    "ten fields": {
        "tshark -T fields": ["tshark", "-n", "-r", "CAPTURE", "-T", "fields", *FIELDS],
        "analyze packets -T fields": [*ANALYZE, "packets", "CAPTURE", "-T", "fields", *FIELDS],
    },
}


def measured(command: list[str]) -> tuple[float, float] | None:
    """(user + system seconds, peak MB) of a command that ran; None if it is not there."""
    if shutil.which(command[0]) is None:
        return None
    with tempfile.TemporaryFile() as sink:
        pid = os.posix_spawnp(
            command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, sink.fileno(), 1), (os.POSIX_SPAWN_DUP2, sink.fileno(), 2)]
        )
        _, status, used = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


ETHERNET = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
PARTS, CONNECTIONS = 400, 1000  # segments of data in a connection, connections in a capture


def connections(lossy: bool) -> Iterator[bytes]:
    """Records of a pcap file: connections one behind the other. lossy: of 20 segments, one arrives after 3 others, each with an ACK
    that has a SACK block, and then again."""
    sides = [(b"\x0a\0\0\1", b"\x0a\0\0\2"), (b"\x0a\0\0\2", b"\x0a\0\0\1")]
    clock = 0
    for port in range(10_000, 10_000 + CONNECTIONS):

        def segment(back: int, seq: int, ack: int, flags: int, data: bytes = b"", options: bytes = b"", port: int = port) -> bytes:
            nonlocal clock
            clock += 100
            ports = (80, port) if back else (port, 80)
            tcp = struct.pack("!HHIIBBHHH", *ports, seq, ack, (20 + len(options)) << 2, flags, 65535, 0, 0) + options + data
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + b"".join(sides[back])
            frame = bytes(12) + b"\x08\x00" + ip + tcp
            return struct.pack("<IIII", *divmod(clock, 1_000_000), len(frame), len(frame)) + frame

        yield from (segment(0, 0, 0, 2), segment(1, 0, 1, 18), segment(0, 1, 1, 16))
        order = list(range(PARTS))
        if lossy:
            for at in range(10, PARTS - 3, 20):
                order[at : at + 4] = [at + 1, at + 2, at + 3, at]
        arrived, edge = set(), 0
        for nth in order:
            yield segment(0, 1 + 1000 * nth, 1, 24, bytes(1000))
            arrived.add(nth)
            while edge in arrived:
                edge += 1
            block = b"" if edge > nth else struct.pack("!BBBBII", 1, 1, 5, 10, 1 + 1000 * (edge + 1), 1001 + 1000 * nth)
            yield segment(1, 1, 1 + 1000 * edge, 16, options=block)
            if lossy and nth % 20 == 10:
                yield segment(0, 1 + 1000 * nth, 1, 24, bytes(1000))


def loss(rounds: int) -> None:
    """Clean against lossy."""
    print("\nconnections with loss")
    per = {}
    for name, lossy in (("clean", False), ("lossy", True)):
        with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
            file.write(ETHERNET)
            frames = 0
            for record in connections(lossy):
                file.write(record)
                frames += 1
            file.flush()
            found = [measured([*ANALYZE, "table", "streams", file.name]) for _ in range(rounds)]
        used, memory = min(one for one in found if one)
        per[name] = used / frames
        print(f"  {name:32s} {used:7.2f} s {memory:7.0f} MB   {1e6 * per[name]:6.2f} µs a frame   {per[name] / per['clean']:6.3f}")


def main() -> None:
    capture, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print(f"{os.path.getsize(capture) / 1e6:.0f} MB, {os.cpu_count()} cores, Python {sys.version.split()[0]}, best of {rounds}")
    subprocess.run([*ANALYZE, "--version"], check=True)
    for question, programs in QUESTIONS.items():
        print(f"\n{question}")
        against = None
        best: dict[str, tuple[float, float]] = {}
        for _ in range(rounds):
            for name, command in programs.items():
                found = measured([capture if word == "CAPTURE" else word for word in command])
                if found and (name not in best or found < best[name]):
                    best[name] = found
        for name in programs:
            if name not in best:
                print(f"  {name:32s} not installed")
                continue
            used, memory = best[name]
            against = against or used
            print(f"  {name:32s} {used:7.2f} s {memory:7.0f} MB   {used / against:6.3f}")
    loss(rounds)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
