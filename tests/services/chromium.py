"""Finds Chromium and a font with which Chinese can be drawn; what is missing of the two is what is installed.

A browser without such a font shows boxes where a duty officer needs a village's name, and every test of words still passes:
so the font counts as a part of the browser, down to 㙦, which is in the name of one village and in few fonts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from ctypes.util import find_library
from pathlib import Path

from tests.services import CHROMIUM, CHROMIUM_NAME, Found

BROWSER = "chromium"
FONT = "fonts-noto-cjk"
LIBRARY = "libatomic1"
"""Of the Node that drives the browser; a Debian of the smallest kind lacks it."""
PACKAGES = (BROWSER, FONT, LIBRARY)
DRAWN = "鸣锣麦㙦"
"""What every page must be able to show; the last is U+3666, which a small Chinese font lacks."""
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_LIMIT_S = 30


def found() -> Found | None:
    """A browser that starts; on some systems the name is there and only says where to get one."""
    for name in _PROGRAMS:
        where = shutil.which(name)
        version = _version(where) if where else ""
        if where and version:
            font = "" if has_font() else f"（缺少中文字体，请装 {FONT}）"
            return Found(name=f"{version}{font}", environment={CHROMIUM: where, CHROMIUM_NAME: f"{version}{font}"})
    return None


def _version(program: str) -> str:
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, errors="replace", timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = said.stdout.split()
    version = next((word for word in words if word[:1].isdigit()), "")
    return f"{words[0]} {version}" if said.returncode == 0 and version else ""


def has_font() -> bool:
    """As fontconfig answers, which Chromium asks too; without it, the files' names must do."""
    if shutil.which("fc-list") is None:
        folders = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
        return any(path for folder in folders for path in folder.rglob("*CJK*"))
    wanted = " ".join(f"{ord(one):x}" for one in DRAWN)
    try:
        said = subprocess.run(
            ["fc-list", f":charset={wanted}", "file"], capture_output=True, timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(said.stdout.strip())


def missing() -> tuple[str, ...]:
    """The packages that would bring what is not here."""
    here = {BROWSER: found() is not None, FONT: has_font(), LIBRARY: find_library("atomic") is not None}
    return tuple(package for package, is_here in here.items() if not is_here)


def arguments() -> list[str]:
    """Chromium refuses root its sandbox, and dies where /dev/shm is small; there is no GPU to draw with."""
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    return [*as_root, "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"]
