"""``deconlab completion``: what makes the Tab key complete commands, flags and names."""

from __future__ import annotations

import click

from deconlab.cli._command import DeconlabCommand

SHELLS = ("bash", "zsh", "fish")


@click.command(cls=DeconlabCommand, name="completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script that completes `deconlab` in SHELL when Tab is pressed: commands, flags, names of methods and files.

    \b
    bash   deconlab completion bash >> ~/.bashrc
    zsh    deconlab completion zsh >> ~/.zshrc
    fish   deconlab completion fish > ~/.config/fish/completions/deconlab.fish
    """
    from click.shell_completion import get_completion_class

    from deconlab.cli import main

    found = get_completion_class(shell)
    if found is None:
        raise ValueError(f"click completes nothing in {shell}; it knows {', '.join(SHELLS)}.")
    click.echo(found(main, {}, "deconlab", "_DECONLAB_COMPLETE").source())
