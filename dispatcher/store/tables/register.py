"""The register: who and what is where.

Of a home, lat and lon are rough (a hundredth of a degree); the exact place is sealed in `position` (`store/registry/homes.py`).
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.types import JSON

from dispatcher.store.tables.schema import Big, Instant, metadata

areas = Table(
    "areas",
    metadata,
    Column("code", String(12), primary_key=True),  # 6, 9 or 12 digits
    Column("name", Text, nullable=False),
    Column("short_name", Text, nullable=False),
    Column("level", String(10), nullable=False),  # city, county, township, village
    Column("kind", Text, nullable=False),
    Column("parent", String(12), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("population", Integer, nullable=False),
    Column("boundary", JSON),  # GeoJSON geometry, longitude first; None where none is known
    Column("synthetic", Boolean, nullable=False),
)

officers = Table(
    "officers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("phone", LargeBinary, nullable=False),  # sealed
    Column("phone_index", Big, nullable=False),  # blind index: keyed hash, 63 bits
    Column("home_code", String(12), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("roles", Integer, nullable=False),  # bits in the order of model.ROLES
    Column("party_member", Boolean, nullable=False),
    Column("synthetic", Boolean, nullable=False),
    Column("position", LargeBinary),  # sealed; see above
    Index("ix_officers_phone_index", "phone_index"),
)

posts = Table(
    "posts",
    metadata,
    Column("area_code", String(12), primary_key=True),
    Column("post", String(10), primary_key=True),  # model.Post
    Column("officer_id", String(32), primary_key=True),
)

residents = Table(
    "residents",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("phone", LargeBinary, nullable=False),  # sealed
    Column("phone_index", Big, nullable=False),
    Column("village_code", String(12), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("household", Big, nullable=False),
    Column("groups", SmallInteger, nullable=False),  # bits in the order of model.GROUPS
    Column("risk_tags", SmallInteger, nullable=False),  # bits in the order of model.RISK_TAGS
    Column("opt_in", Boolean, nullable=False),
    Column("synthetic", Boolean, nullable=False),
    Column("position", LargeBinary),  # sealed; see above
    Index("ix_residents_phone_index", "phone_index"),
)

offices = Table(
    "offices",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("area_code", String(12), nullable=False),
    Column("name", Text, nullable=False),
    Column("phone", LargeBinary, nullable=False),  # sealed
    Column("phone_index", Big, nullable=False),
    Column("synthetic", Boolean, nullable=False),
)

erasures = Table(
    "erasures",
    metadata,
    Column(
        "target", String(48), primary_key=True
    ),  # asked to be erased, and is still on the list of a warning in force
    Column("asked_at", Instant, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("office_id", String(32), nullable=False, index=True),
    Column("area_codes", JSON, nullable=False),  # 6, 9 or 12 digits each
    Column("hazards", JSON, nullable=False),  # names; empty = all
    Column("least_level", String(8), nullable=False),
    Column("channels", JSON, nullable=False),
)

gateways = Table(
    "gateways",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("ebrid", String(23), nullable=False, unique=True),
    Column("area_code", String(12), nullable=False),
    Column("name", Text, nullable=False),
    Column("level", String(10), nullable=False),
    Column("parent", String(32), nullable=False),  # '' at the top
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("protocol", String(8), nullable=False),
    Column("url", Text, nullable=False),
    Column("state", String(10), nullable=False),  # states.GatewayState
    Column("proven_at", Instant),
    Column("synthetic", Boolean, nullable=False),
)

terminals = Table(
    "terminals",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("gateway_id", String(32), nullable=False, index=True),
    Column("village_code", String(12), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("watt", Integer, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("synthetic", Boolean, nullable=False),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("area_code", String(12), nullable=False),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secrets", LargeBinary, nullable=False),  # sealed, newline-separated: two during a rotation
    Column("disabled_reason", Text, nullable=False),  # '' = in use
    Column("synthetic", Boolean, nullable=False),
)

branches = Table(
    "branches",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("endpoint_id", String(32), nullable=False, index=True),
    Column("village_code", String(12), nullable=False),
    Column("name", Text, nullable=False),
    Column("members", Integer, nullable=False),
)

facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    comment="Small truths of this database: register_version, city, …",
)
