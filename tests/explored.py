"""Read an explorer's file, for tests."""

import base64
import json
import re
import zlib

import numpy as np


def data_of(page):
    """The data of the page, a str."""
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL).group(1)
    )


def unpacked(text, dtype):
    """Unpack what `pages.pack` packed."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return np.ascontiguousarray(planes.reshape(np.dtype(dtype).itemsize, -1).T).view(dtype).reshape(-1)


def unpacked_json(text):
    """Unpack what `pages.pack_lists` packed."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def by_rows(**columns):
    """Return the function with which a page reads the texts of its samples."""
    return lambda rows: {name: [texts[row] for row in rows] for name, texts in columns.items()}


def texts_of(path):
    """{column: texts} in an explorer's file."""
    page = data_of(path.read_text(encoding="utf-8"))
    return {name: unpacked_json(packed) for name, packed in page["texts"].items()}
