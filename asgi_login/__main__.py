"""`python -m asgi_login` is the command line, like `asgi-login`."""

import sys

from asgi_login.cli import main

if __name__ == "__main__":
    sys.exit(main())
