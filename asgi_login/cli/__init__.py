"""The command line `asgi-login`: makes keys, mints tokens for development, and says what a token says.

Read `command_line` first: it lists the commands and turns what they raise into a sentence and an exit code. `keygen`,
`token`, `inspect_token` and `jwks` hold the commands. `key_input` reads the key that they work with, and `terminal` is
where all of them read and write, so that nothing they say can control it. `times` puts times into words.
"""

from asgi_login.cli.command_line import main

__all__ = ["main"]
