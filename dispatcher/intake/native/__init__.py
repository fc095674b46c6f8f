"""Native JSON, `application/vnd.mingluo.warning+json`.

form.py     what may stand in it, field by field, with what each means to whoever writes it
schema.py   the published JSON Schema, made from the form
reading.py  bytes → WarningMessage
"""

from dispatcher.intake.native.form import AREA_CODE, CONTENT_TYPE, AreaIn, WarningIn
from dispatcher.intake.native.reading import in_chinese, read
from dispatcher.intake.native.schema import PLACE, json_schema

__all__ = ["AREA_CODE", "CONTENT_TYPE", "PLACE", "AreaIn", "WarningIn", "in_chinese", "json_schema", "read"]
