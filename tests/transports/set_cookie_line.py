"""A Set-Cookie line, read as browsers read it."""


def parse(line):
    """Take a Set-Cookie line apart (RFC 6265bis §5.6)."""
    line = line.decode() if isinstance(line, bytes) else line
    pair, *attributes = line.split(";")
    name, _, value = pair.partition("=")
    parsed = {}
    for attribute in attributes:
        key, _, content = attribute.strip().partition("=")
        assert key.lower() not in parsed
        parsed[key.lower()] = content
    return name.strip(), value.strip(), parsed
