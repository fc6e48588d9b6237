"""Redis and Valkey: a store that processes and machines share.

Tested with redis-py 6 and later, on Redis 7 and Valkey 9.

All keys of a manager begin with `{PREFIX:NAME}:`, so that they lie in one slot of a cluster:

    log      a stream of {k, v, x, c?}: what was ended in the last hour
    t:JTI    "1", until the token would have expired
    s:SID    "1", until the longest token of the session would have expired
    u:SUB    the cut-off of a user, for `keep`
    f:SID    a hash of {g, at, end, born}: the generation of a login's refresh or remember token, until it is idle
    d:SUB    a hash of the sessions of a user and their devices
    epoch    random, written once: another one means that the data was lost

Read `store` first, then `channel`, which does what the protocol of stores says; `scripts` are the steps that the server
does at once, and `connections` how it is reached. `reader` is the connection on which the log is read.
"""

try:
    from asgi_login.redis.store import RedisStore
except ModuleNotFoundError as _missing:
    if (_missing.name or "").partition(".")[0] != "redis":
        raise
    raise ImportError('asgi_login.redis needs redis-py 6 or later: pip install "asgi-login[redis]"') from _missing

__all__ = ["RedisStore"]
