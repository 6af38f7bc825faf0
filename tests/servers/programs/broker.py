"""Celery's application without its tasks: a folder is the broker and the backend of results."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery

FOLDER = Path(os.environ["BROKER_FOLDER"])
app = Celery(
    "tasks",
    broker="filesystem://",
    backend=f"file://{FOLDER / 'results'}",
    broker_transport_options={
        "data_folder_in": str(FOLDER / "queue"),
        "data_folder_out": str(FOLDER / "queue"),
        "control_folder": str(FOLDER / "control"),
    },
)
