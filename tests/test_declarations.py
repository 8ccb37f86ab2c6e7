"""What every declaration owes its readers: a name, a meaning, a file of its own."""

from __future__ import annotations

import re
import subprocess
import sys

import click
import pytest
from conftest import RECORDINGS, ROOT, SHARED, run

from analyzer.analysis import Analysis
from analyzer.cli import cli
from analyzer.expert import SEVERITIES, findings
from analyzer.protocols import protocols, register
from analyzer.tables import make, names
from analyzer.templates import template_fields

CONTEXT = click.Context(cli)


@pytest.mark.parametrize("name", cli.list_commands(CONTEXT))
def test_every_command_has_help_and_a_short_file(name):
    command = cli.get_command(CONTEXT, name)
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option)), name
    assert len((ROOT / "analyzer" / "cli" / f"{name}.py").read_text().splitlines()) <= 40


@pytest.mark.parametrize(
    "capture", ["small-services", "dns", "dhcp", "http-proxy", "ftp", "smtp", "tls-kinds", "sctp", "ipv6-nd", "ospf", "stp-llc"]
)
def test_a_table_asked_for_alone_is_the_same(capture):
    """What nobody asks for is not opened; a table says what it needs. With frame.protocols all is."""
    for name in names():
        alone, among = (Analysis(str(RECORDINGS / f"{capture}.pcap.xz")) for _ in range(2))
        opened = among.dissections
        among.dissections = lambda wanted, opened=opened: opened({*wanted, "frame.protocols", "data"})
        assert alone.table(name).equals(among.table(name)), name


@pytest.mark.parametrize("name", sorted(protocols()))
def test_every_protocol_is_a_file_with_its_source(name):
    protocol = protocols()[name]
    assert (ROOT / "analyzer" / "protocols" / f"{name.replace('.', '_')}.py").exists()
    assert protocol.description
    assert protocol.label
    for field in protocol.fields():
        assert field.label, field.name
        assert re.fullmatch(r"[a-z0-9_-]+(\.[a-zA-Z0-9_-]+)+", field.name), field.name
    declared = [field.name for field in protocol.fields()]
    assert len(declared) == len(set(declared)), "a field that is declared twice is printed twice"
    for field in template_fields(protocol.info):
        assert field in register(), field


@pytest.mark.parametrize("name", sorted(findings()))
def test_every_finding_has_its_page(name):
    finding = findings()[name]
    assert len(finding.page) > 40
    assert finding.severity in SEVERITIES
    assert finding.protocol in protocols()
    assert name.split(".")[1] in run("fields", name).out


@pytest.mark.parametrize("name", names())
def test_every_table_has_columns_that_say_what_they_are(name):
    table = make(name)
    assert table.description
    assert all(field.label for field in table.columns)


@pytest.mark.skipif(not (SHARED / "tools" / "fields.txt").exists(), reason="../shared is not there")
def test_shared_field_names_are_wiresharks():
    text = (SHARED / "tools" / "fields.txt").read_text()
    known = {name for line in text.splitlines() if not line.startswith("#") for name in line.split()}
    whole = {"frame", "arp", "vlan", "igmp", "ospf", "stp", "vrrp", "hsrp", "rip", "lldp", "cdp", "bfd", "loop"}
    whole |= {"dhcp", "dhcpv6", "ntp", "tftp", "syslog", "snmp"}
    ours = {name for name in known if name.split(".")[0] in whole}
    assert ours <= set(register())


def test_no_page_or_file_names_a_machine_or_a_registry():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    for name in tracked:
        if name.endswith((".py", ".md", ".toml", "Makefile", "run")):
            text = (ROOT / name).read_text()
            assert not re.search(r"/(home|root|work)/|pypi\.org|files\.pythonhosted", text), name


def test_python_dash_m_works():
    done = subprocess.run([sys.executable, "-m", "analyzer", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("analyze ")
