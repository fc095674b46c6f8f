"""The real PostgreSQL, RabbitMQ and Chromium of the tests: found, started privately or installed, and ended again.

`python -m tests.services pytest …` settles it once before the run, so that all its processes share them. Every test then
takes a randomly named database or virtual host of its own, removes it, and touches nothing else. A browser is only found or
installed here: each process of the tests starts its own.
"""

from __future__ import annotations

from dataclasses import dataclass

PG_URL = "MINGLUO_TEST_PG_URL"
PG_NAME = "MINGLUO_TEST_PG_NAME"
AMQP_URL = "MINGLUO_TEST_AMQP_URL"
AMQP_NAME = "MINGLUO_TEST_AMQP_NAME"
RABBITMQCTL = "MINGLUO_TEST_RABBITMQCTL"
CHROMIUM = "MINGLUO_TEST_CHROMIUM"
CHROMIUM_NAME = "MINGLUO_TEST_CHROMIUM_NAME"
SETTLED = "MINGLUO_TEST_SETTLED"
OURS = frozenset({PG_URL, PG_NAME, AMQP_URL, AMQP_NAME, RABBITMQCTL, CHROMIUM, CHROMIUM_NAME, SETTLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A service that answers. `name` is for people: what, which version, which port."""

    name: str
    environment: dict[str, str]
