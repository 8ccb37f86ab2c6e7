"""What every declaration owes its readers: a name, a meaning, a file of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache

import click
import pytest
from conftest import RECORDINGS, ROOT, SHARED, run

from analyzer.analysis import Analysis
from analyzer.cli import cli
from analyzer.expert import SEVERITIES, TABLES, rules
from analyzer.fields import Protocol
from analyzer.protocols import protocols, register
from analyzer.tables import make, names
from analyzer.templates import parse

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
    assert not template_faults(protocol.info, protocol)


# ---------------------------------------------------------------- templates

FIELD = r"\{[\w.-]+(?::words|:mark)?\}"
TEMPLATE = re.compile(  # plain text, a field, literal brackets with or without a field alone, [text field text], [?flag:text field text]
    rf"([^][{{}}]|{FIELD}|\[({FIELD}|[^][{{}}?][^][{{}}]*)\]|\[([^][{{}}?][^][{{}}]*|\?[\w.-]+:[^][{{}}]*){FIELD}[^][{{}}]*\])*"
)


def template_faults(template: str, protocol: Protocol) -> list[str]:
    """Why a template of this protocol cannot be filled: its syntax, or a part of it."""
    if not TEMPLATE.fullmatch(template):
        return [template]
    own = {field.name: field for field in protocol.fields()}
    faults = []
    for _, name, form, condition in parse(template):
        if name and (name not in own or (form == "words" and not own[name].value_names)):
            faults.append(name)
        if condition not in ("always", "present") and (condition not in own or own[condition].kind.name != "flag"):
            faults.append(condition)
    return faults


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("[, from {udp.srcport} to {udp.dstport}]", "[, from {udp.srcport} to {udp.dstport}]"),  # two fields in one bracket
        ("[{udp.srcport}, port]", "[{udp.srcport}, port]"),
        ("[?udp.srcport: no field]", "[?udp.srcport: no field]"),
        ("{udp.srcport", "{udp.srcport"),
        ("udp.srcport}", "udp.srcport}"),
        ("[a [b {udp.srcport}]]", "[a [b {udp.srcport}]]"),
        ("{udp.srcport:mac}", "{udp.srcport:mac}"),
        ("{udp.sorceport}", "udp.sorceport"),
        ("{tcp.srcport}", "tcp.srcport"),
        ("{udp.srcport:words}", "udp.srcport"),
        ("[?udp.length: of {udp.srcport}]", "udp.length"),
        ("[?tcp.flags.syn: of {udp.srcport}]", "tcp.flags.syn"),
        ("{udp.srcport} → [{udp.dstport}] [none][ Len={udp.length}]", None),
    ],
)
def test_a_template_that_cannot_be_filled_is_found(template, fault):
    assert template_faults(template, protocols()["udp"]) == ([] if fault is None else [fault])


# ---------------------------------------------------------------- rules


@cache
def printed_pages() -> str:
    return "".join(run("fields", ".").out.split())


@pytest.mark.parametrize("name", rules())
def test_every_rule_has_its_page(name):
    rule = rules()[name]
    assert rule.name == name
    assert len(rule.page) > 40
    assert rule.severity in SEVERITIES
    assert rule.kind
    assert "".join(f"{name} ({rule.severity}) {rule.page}".split()) in printed_pages()
    if rule.subject in protocols():
        assert rule.template
        assert not template_faults(rule.template, protocols()[rule.subject])
    else:
        assert rule.subject == name.split(".")[0]
        assert rule.subject in ("connection", *TABLES)


def test_no_rule_takes_the_name_of_another():
    """A function of the same name in a family would take its place without a word."""
    files = (ROOT / "analyzer" / "expert").glob("*.py")
    assert len(rules()) == sum(len(re.findall(r"^@rule\(", file.read_text(), re.M)) for file in files)


def test_tables_with_rules_are_declared():
    assert {rule.subject for rule in rules().values()} - {"connection", *protocols()} == set(TABLES) <= set(names())


@pytest.mark.parametrize("name", names())
def test_every_table_has_labelled_columns(name):
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
