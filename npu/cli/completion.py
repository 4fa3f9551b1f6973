"""The script that teaches a shell the commands, their options, chips and models."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from npu.cli import COMPLETE, group
from npu.cli._output import console

SHELLS = ("bash", "zsh", "fish")
FILES = {
    "bash": 'put into ~/.bashrc:  eval "$(npu completion bash)"',
    "zsh": 'put into ~/.zshrc:  eval "$(npu completion zsh)"',
    "fish": "npu completion fish > ~/.config/fish/completions/npu.fish",
}


@click.command(
    epilog="\b\n" + "\n".join(f"{shell}: {text}" for shell, text in FILES.items()),
)
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script for a shell. It asks `npu` itself, so it need not be made again."""
    found = get_completion_class(shell)
    assert found is not None
    for line in found(group, {}, "npu", COMPLETE).source().splitlines():
        console().print(line)
