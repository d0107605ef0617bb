"""`make serve`: Dagster's UI and daemon on loopback, on the same home that `make run` uses.

Only this machine can reach it: the UI has no login. Put a proxy that asks for one before it if
others must (docs/operations.md).
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from pipelines.errors import HomingError
from pipelines.instance import prepare_instance
from pipelines.settings import PROJECT_ROOT, Settings

HOST = "127.0.0.1"


def main() -> int:
    """Replace this process with `dg dev`."""
    try:
        settings = Settings.read()
        settings.prepare_home()
    except HomingError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    settings.export()
    prepare_instance(settings)
    port = str(settings.port)
    with socket.socket() as probe:
        if probe.connect_ex((HOST, settings.port)) == 0:
            print(
                f"Stopped: port {port} is taken, perhaps by another `make serve`; "
                "end that one or choose another port by HOMING_PORT",
                file=sys.stderr,
            )
            return 1
    command = str(Path(sys.executable).parent / "dg")
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    print(f"Dagster on http://{HOST}:{port} (stop with Ctrl-C)", flush=True)
    # From the project Dagster would warn that the dagster.yaml there is not the one in use.
    os.chdir(settings.home)
    os.execv(command, [command, "dev", "-w", workspace, "--host", HOST, "--port", port])
    return 0


if __name__ == "__main__":
    sys.exit(main())
