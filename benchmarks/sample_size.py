"""What the sample company costs: processor seconds and peak memory by number of customers.

    python -m benchmarks.sample_size                     # 20,000 and 200,000 customers
    python -m benchmarks.sample_size 1000000 --lines 50

makes each company into a folder that is deleted afterwards, in a process of its own, so that the
memory of one is not counted for the next. Imports count, as in every run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

from pipelines.sources.sample import generate

SIZES = (20_000, 200_000)
LINES = 25.0  # order lines per customer, as by default
MEGABYTE = 1024  # KiB, the unit of ru_maxrss


def measure(customers: int, lines: float) -> str:
    """One line of figures; to be called in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        sample = generate(
            Path(folder, "tables"),
            Path(folder, "truth"),
            customers=customers,
            lines_per_customer=lines,
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE
    return (
        f"{customers:>10,}{sample.rows['order_items']:>14,}{time.process_time():>9.1f}"
        f"{memory:>9.0f}"
    )


def main() -> None:
    """Print one line per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("customers", nargs="*", type=int, default=SIZES)
    parser.add_argument("--lines", type=float, default=LINES, help="order lines per customer")
    arguments = parser.parse_args()
    print(f"{'customers':>10}{'order lines':>14}{'CPU s':>9}{'peak MB':>9}", flush=True)
    for customers in arguments.customers:
        # a new interpreter: a fork would begin with this one's memory
        with multiprocessing.get_context("spawn").Pool(1) as process:
            print(process.apply(measure, (customers, arguments.lines)), flush=True)


if __name__ == "__main__":
    main()
