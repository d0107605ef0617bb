"""The steps of a run as Dagster definitions: one module a step, in the order of the way.

extract -> tables -> training -> scoring -> retention -> publish, with `checks` at the borders and
`schedules` for when. An asset here is thin: read, call one function, write, report metadata.
"""

import warnings

# Dagster says at every load which of its functions are young; the pins answer for that.
warnings.filterwarnings("ignore", module=r"dagster\..*|pipelines\.definitions")
