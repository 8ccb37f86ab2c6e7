"""analyze tables: which tables there are, and their columns."""

import click


@click.command("tables")
@click.argument("name", required=False)
def command(name):
    """The tables; with NAME, its columns."""
    from ..report._text import listing
    from ..tables import make, names

    if name:
        listing((f.name, f.label + (f": {f.description}" if f.description else "")) for f in make(name).columns)
    else:
        listing((one, make(one).description) for one in names())
