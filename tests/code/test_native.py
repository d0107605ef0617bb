"""The limit on threads of native libraries: it holds for all of them, and ends with its context."""

from __future__ import annotations

import json
import os
import subprocess
import sys

# In a process of its own: only there is none but BLAS loaded when the limit is set.
LIMITED = """
import json
import numpy
from threadpoolctl import threadpool_info
from models.native import logistic_regression, thread_limit, xgboost

def threads():
    return {each["user_api"]: each["num_threads"] for each in threadpool_info()}

before = threads()
with thread_limit(1):
    xgboost(), logistic_regression()
    inside = threads()
print(json.dumps([before, inside, threads()]))
"""


def test_libraries_first_used_under_the_limit_obey_it_too():
    done = subprocess.run(
        [sys.executable, "-c", LIMITED],
        env=os.environ | {"OMP_NUM_THREADS": "5"},
        capture_output=True,
        check=True,
    )
    before, inside, afterwards = json.loads(done.stdout)
    assert set(before) == {"blas"}
    assert inside == {"blas": 1, "openmp": 1}
    assert afterwards == before | {"openmp": 5}
