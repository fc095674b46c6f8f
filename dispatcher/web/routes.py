"""Every route in one table: who may, what it takes, what it answers. The server and the OpenAPI document come from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel

from dispatcher.web import health, live, openapi_docs, shapes
from dispatcher.web.api import callbacks, deliveries, machines, warnings
from dispatcher.web.console import pages
from dispatcher.web.problems import Handler
