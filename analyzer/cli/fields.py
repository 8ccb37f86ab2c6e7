"""analyze fields: the fields and findings, and what they mean."""

import click


@click.command("fields")
@click.argument("word", required=False)
def command(word):
    """Fields and findings; with WORD, those whose name or meaning has it."""
    from ..errors import UsageError
    from ..report._reference import entries
    from ..report._text import listing

    found = list(entries(word or ""))
    if not found:
        from ..lookup import field_of

        field_of(word)  # says what is nearest
        raise UsageError(f"nothing has {word!r} in its name or meaning")
    listing(found)
