"""Every provider of the catalog against every fault."""

from __future__ import annotations

import pytest

from channels.catalog import PROVIDERS
from channels.transport import Transport
from tests.channels.conformance import (
    Fault,
    Subject,
    check_callbacks,
    check_drill_gate,
    check_fault,
    check_file,
    check_same_id,
)
from tests.channels.subjects import SUBJECTS

EACH = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=lambda subject: subject.name)


def test_every_provider_of_the_catalog_is_put_to_the_test() -> None:
    assert {(channel, kind) for channel, kinds in PROVIDERS.items() for kind in kinds} == set(SUBJECTS)


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value.replace(" ", "_"))
@EACH
async def test_a_fault_has_its_one_outcome(subject: Subject, fault: Fault) -> None:
    await check_fault(subject, fault)


@EACH
async def test_a_second_try_is_the_same_request(subject: Subject) -> None:
    await check_same_id(subject)


@EACH
async def test_drill_and_real_never_mix(subject: Subject) -> None:
    await check_drill_gate(subject)


@EACH
async def test_only_genuine_callbacks_are_believed(subject: Subject) -> None:
    await check_callbacks(subject)


@EACH
def test_a_provider_is_one_short_file(subject: Subject) -> None:
    check_file(subject.make("http://127.0.0.1:9", Transport(loopback_only=True)).provider)
