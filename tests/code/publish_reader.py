"""A BI tool in a process of its own: `publish_reader.py <homing.duckdb> loop|hold`.

loop: opens the file again and again until standard input is closed, then prints what it saw.
hold: opens it once; answers every line on standard input with what that connection sees.
"""

import json
import selectors
import sys
from collections import Counter

import duckdb

QUESTION = """
    select distinct o.marker, c.marker, v.version_id
    from orders as o join customers as c using (id) cross join published_version as v
"""


def look(connection: duckdb.DuckDBPyConnection) -> list:
    return connection.execute(QUESTION).fetchall()


def loop(database: str) -> None:
    seen: Counter[str] = Counter()
    standard_input = selectors.DefaultSelector()
    standard_input.register(sys.stdin, selectors.EVENT_READ)
    is_over = False
    while True:
        with duckdb.connect(database, read_only=True) as connection:
            seen[json.dumps(look(connection))] += 1
        if seen.total() == 1:
            print("ready", flush=True)
        if is_over:  # looked once more after the last version
            break
        is_over = bool(standard_input.select(timeout=0))
    print(json.dumps([json.loads(answer) for answer in seen]))


def hold(database: str) -> None:
    with duckdb.connect(database, read_only=True) as connection:
        print(json.dumps(look(connection)), flush=True)
        for _ in sys.stdin:
            print(json.dumps(look(connection)), flush=True)


if __name__ == "__main__":
    {"loop": loop, "hold": hold}[sys.argv[2]](sys.argv[1])
