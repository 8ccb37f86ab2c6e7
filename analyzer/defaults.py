"""Defaults and choices that the command line, Python and the engine share; imports nothing, so that help is quick."""

MAX_STREAMS = 1_000_000  # TCP connections held; about 6 kB each where `streams` is asked for
# Whose bytes count where fragments overlap: who begins first, then who came first (Wireshark's) or last; who came first; who came last.
OVERLAP_POLICIES = ("bsd", "first", "last", "linux")
OVERLAP = OVERLAP_POLICIES[0]
