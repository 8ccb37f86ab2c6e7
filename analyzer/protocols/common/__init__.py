"""What several protocols share: layouts of options, framing of messages in TCP streams, checksums, registries.

A file whose name begins with `_` is a compiled loop; the file of the same name without it is its NumPy side.
"""
