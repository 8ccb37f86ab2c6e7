"""docs/architecture.md keeps its word: the protocol on that page runs, and the loop knows no protocol by name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

from conftest import ROOT, pcap

from analyzer.protocols import protocols

PAGE = (ROOT / "docs" / "architecture.md").read_text()
RUN = """
import sys
import analyzer.protocols
analyzer.protocols.__path__.append(sys.argv.pop(1))
from analyzer.cli import run
sys.exit(run(sys.argv[1:]))
"""
EXCEPTIONS = {  # what the loop may name, and why
    "tcp": "the tracker and the messages of streams are TCP's: no other protocol has connections that are tracked",
    "tcp.port": "what TCP segments carry is set aside, since it belongs to streams",
    "udp.port": "what UDP datagrams carry may be claimed by correlators, if no port names it",
    "udp.dstport": "a datagram to the port of a protocol that `changes_port` opens a conversation on another",
}


def test_the_protocol_on_the_page_runs(save, tmp_path):
    """Three datagrams to port 9999: a hello of five bytes, a bye that says more than there is, a cut header."""
    from scapy.all import IP, UDP, Ether, Raw

    code = re.search(r"<!-- protocol -->\n```python\n(.*?)```", PAGE, re.S)[1]
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 25
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "example.py").write_text(code)
    contents = (b"\x01\0\x05hello", b"\x02\0\x09bye", b"\x01\0")
    head = Ether() / IP(src="10.0.0.1", dst="10.0.0.2")
    name = save(pcap(*(bytes(head / UDP(sport=40000, dport=9999) / Raw(one)) for one in contents)))

    def analyze(*words: str) -> str:
        done = subprocess.run([sys.executable, "-c", RUN, str(folder), *words], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    fields = ("-e", "example.type", "-e", "example.length", "-e", "frame.protocols")
    assert analyze("packets", name, "-T", "fields", *fields).splitlines() == [
        "1\t5\teth:ethertype:ip:udp:example:data-text-lines",
        "2\t9\teth:ethertype:ip:udp:example",
        "1\t\teth:ethertype:ip:udp:example",
    ]
    assert "hello, 5 bytes" in analyze("packets", name, "-Y", "example.type == 1 and example.length == 5")
    assert "length says 12 bytes, there are 6" in analyze("table", "expert", name)


def test_the_loop_and_the_analysis_name_no_protocol():
    """Whatever they must know of a protocol it declares itself."""
    names = {name for p in protocols().values() for name in (p.name, p.display_name)} - {"frame", "data"}
    found = set()
    for file in ("dissect.py", "analysis.py"):
        tree = ast.parse((ROOT / "analyzer" / file).read_text())
        pages = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in pages:
                found |= {node.value} if node.value in names or node.value.split(".")[0] in names else set()
    assert found <= EXCEPTIONS.keys()
    assert found == EXCEPTIONS.keys(), "an exception that nothing needs any more"
