"""The same question to this program and to its peers, on one capture, in one run: user + system seconds and peak memory.

python bench/peers.py CAPTURE [ROUNDS]; the best of the rounds counts. Peers that are not installed are left out, and said.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile

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


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
