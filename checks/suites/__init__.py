"""What each border expects: one module a border, in the order of the way.

Here: declarations (checks/suite.py says what they are made of), with the thresholds and their
reasons. Not here: Great Expectations itself (runner.py), or the SQL that makes the frames
(pipelines/borders/).
"""

from checks.suites import arrival, features, outputs

ALL_SUITES = (*arrival.SUITES, *features.SUITES, *outputs.SUITES)
