"""The register as a folder of CSV files, one a table, and the boundaries as GeoJSON: what an import reads back unchanged.

The files hold phones and keys, so nobody but their owner may read them; no cell can act as a formula in a spreadsheet.
While anything in it is invented, the folder says 合成数据.
"""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from dispatcher.registry.cells import BOUNDARIES, SYNTHETIC, Form, forms
from dispatcher.store import audit
from dispatcher.store import registry as rows
from dispatcher.store.audit import Act
from dispatcher.store.engine import Store, Tx
from dispatcher.store.registry import ResidentRow, Row
from dispatcher.store.sealed import Seal

NOTE = "00-说明.txt"


async def note_export(store: Store, now: datetime) -> None:
    """Phones leave the house readable: that stands in the log before the first of them does."""
    async with store.begin() as tx:
        audit.append(tx, now, Act(actor="command", action="registry.exported", subject="registry", detail={}))


async def export_folder(store: Store, seal: Seal, folder: Path, tell: rows.Tell = rows.quiet) -> None:
    """Writes every table, also the empty ones, over what files of these names the folder holds."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True, mode=0o700)
    async with store.read() as tx:
        await rows.hold_still(tx)
        await asyncio.to_thread(_write, folder / NOTE, _note(await rows.any_synthetic(tx)))
        for form in forms(production=False):
            path, done = folder / form.file, 0
            await asyncio.to_thread(_write_header, path, form)
            async for page in _pages(tx, seal, form.kind):
                await asyncio.to_thread(_append, path, (form.line(row) for row in page))
                done += len(page)
                tell(form.file, done, done)
        areas = await rows.areas(tx)
    features = [
        _feature(area.code, area.name, json.loads(area.boundary), area.synthetic) for area in areas if area.boundary
    ]
    await asyncio.to_thread(_write, folder / BOUNDARIES, _collection(features))


async def _pages(tx: Tx, seal: Seal, kind: type[Row]) -> AsyncIterator[Sequence[Row]]:
    if kind is not ResidentRow:
        yield await rows.exported(tx, seal, kind)
        return
    async for page in rows.resident_rows(tx, seal):
        yield page


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")


def _write_header(path: Path, form: Form) -> None:
    """With the mark by which spreadsheets know UTF-8; without it they show Chinese as rubbish."""
    _write(path, "\ufeff")
    _append(path, [[column.name for column in form.columns]])


def _append(path: Path, lines: Iterable[Sequence[str]]) -> None:
    """RFC 4180. The writer quotes what ends its own lines and nothing else that a reader may take for an end."""
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\r\n").writerows(lines)


def _feature(code: str, name: str, boundary: dict[str, object], synthetic: bool) -> str:
    marks = {"code": code, "name": name, "note": SYNTHETIC if synthetic else ""}
    feature = {"type": "Feature", "id": code, "properties": marks, "geometry": boundary}
    return json.dumps(feature, ensure_ascii=False, separators=(",", ":"))


def _collection(features: list[str]) -> str:
    return '{"type":"FeatureCollection","note":"示意图","features":[\n' + ",\n".join(features) + "\n]}\n"


def _note(synthetic: bool) -> str:
    """The first file of the folder, for whoever opens it."""
    marked = (
        f"{SYNTHETIC}：人员、号码、设备或边界是虚构的，只供试用和演练，不得用于正式发布。synthetic 一列标出每一行。\n"
        if synthetic
        else ""
    )
    return (
        f"{marked}鸣锣登记册导出：每张表一个 CSV 文件，边界在 {BOUNDARIES}。\n"
        "改好后用 mingluo registry import 导回；缺少的文件不动原表。\n"
        "单元格开头的单引号防止表格软件把内容当公式，导入时自动去掉。\n"
        "内有手机号和签名密钥，请妥善保管，用后删除。边界为示意图。\n"
    )
