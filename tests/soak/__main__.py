"""`make soak`: two processes on one store, under load, while the store fails again and again.

Fails with a sentence for each time that an ended login was accepted too late, that a living one was refused, that the
store was blamed (503) though it was there, and where a process has grown.
"""

import argparse
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from soak.record import percentile
from soak.run import run
from stores.servers import HOW_TO_GET, PROGRAMS

SHOWN = 20


def main():
    parser = argparse.ArgumentParser(prog="python -m soak", description="Soak two processes on one store.")
    parser.add_argument("--seconds", type=int, default=60, help="how long; from 60 on with every fault")
    parser.add_argument("--store", choices=["redis", "valkey"], default="redis")
    # Four times as long as by default, or a busy machine would count as a store that is away.
    parser.add_argument("--timeout", type=int, default=1000, help="milliseconds that a question to the store may take")
    options = parser.parse_args()
    if PROGRAMS[options.store] is None:
        parser.error(HOW_TO_GET[options.store])
    with tempfile.TemporaryDirectory() as folder:
        result = run(options.seconds, Path(folder), kind=options.store, timeout=timedelta(milliseconds=options.timeout))
    print(report(result))
    if result.record.violations:
        print(f"{len(result.record.violations)} violations, of which the first are:", file=sys.stderr)
        print(*result.record.violations[:SHOWN], sep="\n", file=sys.stderr)
    return bool(result.record.violations)


def report(result):
    record = result.record
    statuses = ", ".join(f"{count:,} with {status}" for status, count in sorted(record.statuses.items()))
    done = ", ".join(f"{name} {count:,}" for name, count in record.done.most_common())
    took = [1000 * seconds for seconds in record.took]
    refused = (
        f"refused by the other process, the store being there: {len(took):,} times, p50 {percentile(took, 50):.1f} ms, "
        f"p99 {percentile(took, 99):.1f} ms, at most {max(took, default=0):.1f} ms"
    )
    return "\n".join(
        [
            f"requests: {statuses}",
            f"done: {done}",
            *(f"the store was {one.what} for {one.ended - one.began:.1f} s" for one in record.faults),
            f"ended: {len(record.ends):,} logins and tokens",
            refused,
            f"last accepted after its end: {record.latest:.3f} s, of {record.max_staleness:g} s that are allowed",
            *(
                f"resident memory of process {number}: {early:.1f} MiB after a third of the time, {late:.1f} at the end"
                for number, (early, late) in enumerate(result.resident)
                if early is not None
            ),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
