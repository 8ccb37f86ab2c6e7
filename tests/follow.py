"""`analyze follow` against tshark's `-z follow`, byte for byte: every stream of the captures, in every form. Needs tshark.

python tests/follow.py CAPTURE…        the captures, or folders of them
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from conftest import run
from sweep import captures

MODES = ("ascii", "hex", "raw", "yaml")
HEAD = re.compile(r"\n={67}\nFollow: (?:tcp|udp),\w+\nFilter: (?:tcp|udp)\.stream eq (\d+)\n")
MARK = re.compile(r" {1,2}\[urgent: [^]]*\]|    urgent: .*\n")
NODE = re.compile(r"Node [01]: .*\n|    (?:host|port): .*\n")  # in a tunnel tshark names the innermost
TOGETHER = 50  # streams that one run of tshark follows


def tshark(path: Path, *words: str) -> str:
    done = subprocess.run(["tshark", "-n", "-r", str(path), *words], capture_output=True, check=False)
    return done.stdout.decode("latin1")


def followed(path: Path, protocol: str, mode: str, streams: list[int]) -> dict[int, str]:
    """What tshark prints of each stream. It draws them in an order of its own, which the heads of another form tell."""
    asked = [word for n in streams for word in ("-z", f"follow,{protocol},{mode},{n}")]
    result = tshark(path, "-q", *asked)
    if mode == "yaml":
        order = list(followed(path, protocol, "raw", streams))
        return dict(zip(order, ["peers:" + one for one in result.split("peers:")[1:]], strict=True))
    starts = [*HEAD.finditer(result)]
    ends = [one.start() for one in starts[1:]] + [len(result)]
    return {int(one[1]): result[one.start() : end] for one, end in zip(starts, ends, strict=True)}


def compared(path: Path, protocol: str, most: int) -> Counter[str]:
    found: Counter[str] = Counter()
    numbers = (
        tshark(path, "-Y", f"{protocol}.payload && !icmp && !icmpv6 && !udplite", "-T", "fields", "-e", f"{protocol}.stream")
        .replace(",", "\n")
        .split()
    )
    streams = sorted({int(n) for n in numbers})[:most]
    odd = "IP fragments" if tshark(path, "-Y", "ip.flags.mf == 1 || ip.frag_offset > 0 || ipv6.fraghdr") else ""
    for at in range(0, len(streams), TOGETHER):
        some = streams[at : at + TOGETHER]
        for mode in MODES:
            for stream, theirs in followed(path, protocol, mode, some).items():
                ours = run("follow", str(path), "--stream", str(stream), "--as", mode, *(["--udp"] if protocol == "udp" else [])).out
                kind = odd or judged(ours, theirs)
                found[kind] += 1
                if kind not in ("equal", "urgent marks"):
                    print(f"{path.name} {protocol}.stream {stream} {mode}: {kind}", flush=True)
    return found


def judged(ours: str, theirs: str) -> str:
    if ours == theirs:
        return "equal"
    if MARK.sub("", ours) == theirs:
        return "urgent marks"
    if NODE.sub("", ours) == NODE.sub("", theirs):
        return "addresses"
    if re.search(r"\[\d+ bytes? (missing|cut)|missing: \d", ours):
        return "holes"
    return "DIFFERENT"


if __name__ == "__main__":
    total: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for word in sys.argv[1:]:
        for path in captures(Path(word)) if Path(word).is_dir() else [Path(word)]:
            found = sum((compared(path, protocol, 200) for protocol in ("tcp", "udp")), Counter())
            total += found
            files["with data" if found else "without data"] += 1
            files["wholly equal"] += bool(found) and set(found) == {"equal"}
    print(dict(files), dict(total))
    sys.exit("DIFFERENT" in total)
