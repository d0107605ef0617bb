"""`make serve`: Dagster's UI and daemon on loopback, on the same home that `make run` uses.

Only this machine can reach it: the UI has no login. Put a proxy that asks for one before it if
others must (docs/operations.md).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from rich.console import Console

from pipelines.errors import SettingsError
from pipelines.run import command_line
from pipelines.runtime.instance import prepare_instance
from pipelines.settings import PROJECT_ROOT, Settings

HOST = "127.0.0.1"


def serve(settings: Settings, console: Console) -> int:
    """Replace this process with `dg dev`.

    Raises:
        SettingsError: the home cannot be written, or the port is taken.
    """
    settings.prepare_home()
    settings.export()
    prepare_instance(settings)
    port = str(settings.port)
    with socket.socket() as probe:
        if probe.connect_ex((HOST, settings.port)) == 0:
            raise SettingsError(
                f"port {port} is taken, perhaps by another `make serve`; "
                "end that one or choose another port by HOMING_PORT"
            )
    command = str(Path(sys.executable).parent / "dg")
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    console.print(f"Dagster on http://{HOST}:{port} (stop with Ctrl-C)")
    # Nothing that waits to be written survives the change of process.
    sys.stdout.flush()
    # From the project Dagster would warn that the dagster.yaml there is not the one in use.
    os.chdir(settings.home)
    # A shell starts what runs in the background with this signal ignored, and whoever ignores it
    # here ignores SIGTERM as well: the UI could not be stopped but by force.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(command, [command, "dev", "-w", workspace, "--host", HOST, "--port", port])
    return 0


if __name__ == "__main__":
    sys.exit(command_line(serve))
