"""The folder of the demo, which keeps the signing key and the users from one start to the next."""

import os
import secrets
import tempfile
from pathlib import Path

from asgi_login import Key


def open_folder(folder: Path) -> Path:
    """Create the folder if it is missing, for this user only, and return its absolute path."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


def load_key(folder: Path) -> Key:
    """Return the signing key. The first start creates it; a new key at each start would end every login."""
    path = folder / "key"
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(48))
    return Key(path.read_text(encoding="ascii").strip())


def _write_once(path: Path, secret: str) -> None:
    """Write a file that only this user can read, in one step, unless it exists.

    A link appears with its whole content or not at all, and never replaces a file: of two demos that start at
    the same moment, both end up with the key of the first.
    """
    # mkstemp creates the file with mode 0600.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")
    try:
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor has no Path
            file.write(secret)
            file.flush()
            os.fsync(descriptor)
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(name)  # noqa: PTH108 - mkstemp returns a str
