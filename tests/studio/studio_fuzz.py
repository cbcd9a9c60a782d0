"""Requests that no page sends; a number determines each request."""

import json
import random
import urllib.parse
from dataclasses import dataclass, field

STATE = {"seed": "1", "num_samples": 2, "temperature": 1.0, "warmth": 0,
         "saturation": 1, "kept": None, "strength": 0.5, "chosen": 0,
         "hints": [{"x": 5, "y": 6, "rgb": "#336699", "muted": False}]}
_STEP = {"state": STATE, "label": "a step", "thumb": None}

# JSON texts, valid and invalid.
_VALUES = (
    "null", "true", "false", "0", "-1", "1", "2", "1e9", "-1e300", "1e999",
    "NaN", "Infinity", "-Infinity", "0.5", "-0.0", "1" + "0" * 400,
    "1" * 5000, "9007199254740993", '""', '"x"', '"1"', '"-1"', '"0x1"',
    '"' + "9" * 19 + '"', '"\\ud800"', '"\\u0000"', '"\U0001f600"',
    '"#12345"', '"#GGGGGG"', '"' + "x" * 9000 + '"', "[]", "{}", "[[]]",
    "[null]", "[1,2,3]", '{"a":1}', "[" * 3000 + "]" * 3000,
    '{"x":' * 3000 + "1" + "}" * 3000, "", "tru", "'x'", "1,", "\ufeff1",
    "/* */ 1", '"\n"', '"__proto__"', '"..\\/..\\/etc\\/passwd"', "1e-400",
    "[" + "0," * 5000 + "0]")
_ODD_PATHS = (
    "/", "//", "/api", "/api/", "/api/photos/", "/api/photos/%00",
    "/api/photos/%ff%fe", "/api/photos/\xe9", "/api/photos/..%2f..%2fx",
    "/api/gamut/-1", "/api/gamut/101", "/api/gamut/" + "9" * 5000,
    "/api/gamut/1.5", "/api/gamut/nan", "/api/gamut/\u0663".encode().decode(
        "latin-1"), "/static/", "/static/%00", "/static/" + "x" * 5000,
    "/static/index.html?" + "a=b&" * 2000, "/?token=%ff", "/?token",
    "/?%00=%00", "/api/exports/%0a", "/api/studio;x", "/api/studio#x",
    "/API/STUDIO", "/api/studio/", "/api//studio", "*", "api/studio",
    "http://evil.example/api/studio", "/api/photos/PHOTO/pictures/",
    "/api/photos/PHOTO/pictures/999999999999?key=x",
    "/api/photos/PHOTO/pictures/%D9%A3?size=128")
_QUERY = ("size", "box", "reduce", "key", "token", "x")
_QUERY_VALUES = (
    "", "0", "-1", "1", "2", "3", "8", "128", "1024", "2048", "2049", "1e3",
    "nan", "\u0663", "9" * 30, "0,0,8,8", "0,0,96,64", "95,63,1,1",
    "96,64,1,1", "0,0,0,0", "-1,0,8,8", "0,0,99999,99999", "1,2,3", ",,,",
    "0,0,8,8,8", "%00", "../../x", "\x00", "x" * 2000)


@dataclass
class Fuzz:
    """One request; `bytes` makes its raw bytes."""

    method: str
    path: str
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    chunked: bool = False
    cut: int | None = None  # number of missing bytes at the body's end

    def bytes(self, headers):
        """The raw request; its own headers override the given ones."""
        headers = {**headers, "Connection": "close", **self.headers}
        body = self.body
        if self.chunked:
            headers["Transfer-Encoding"] = "chunked"
            body = b"".join(
                b"%x\r\n%s\r\n" % (len(part), part) for part in
                (body[:7], body[7:]) if part) + b"0\r\n\r\n"
        else:
            headers["Content-Length"] = str(len(body))
        if self.cut:
            body = body[:-self.cut]
        head = [f"{self.method} {self.path} HTTP/1.1",
                *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*head, "", ""]).encode(
            "latin-1", "replace") + body


def make(number, known, picture):
    """Makes the request of a number.

    Args:
        number: int.
        known: dict of photo (str, id of a photograph in the strip), revision
            (int, of its session) and job (str, id of an export).
        picture: bytes of a picture file.

    Returns:
        `Fuzz`.
    """
    rng, photo = random.Random(number), known["photo"]
    kind = rng.choice((_of_json, _of_json, _of_json, _of_query, _of_path,
                       _of_upload, _of_export))
    request = kind(rng, known, picture)
    if rng.random() < 0.1:
        request.method = rng.choice((
            "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH",
            "TRACE", "get", "FOO", "CONNECT"))
        if request.method == "DELETE":  # later requests need the photograph
            request.path = request.path.replace(photo, photo[::-1])
    request.chunked = rng.random() < 0.2
    if request.body and rng.random() < 0.05:
        request.cut = rng.randrange(1, len(request.body) + 1)
    if rng.random() < 0.1:
        request.headers[rng.choice((
            "X-Tab", "Content-Type", "Accept", "Range", "If-None-Match",
            "Expect", "Content-Encoding", "If-Range"))] = rng.choice((
                "", "x" * 3000, "\xff\xfe", "bytes=0-1", "gzip", "bytes=9-",
                "bytes=-0", "bytes=2-1,0-", "100-continue", "text/html"))
    return request


def _of_json(rng, known, _):
    photo = known["photo"]
    path, value = rng.choice((
        (f"/api/photos/{photo}/results", STATE),
        (f"/api/photos/{photo}/point", {"state": STATE, "x": 3, "y": 4}),
        (f"/api/photos/{photo}/session", {
            "revision": known["revision"], "keep": 0, "at": 1,
            "states": [_STEP, _STEP], "kept": [{"state": STATE}]}),
        ("/api/exports", {"format": "png", "items": [
            {"photo": photo, "state": STATE, "ranks": [0, 1]}]}),
        ("/api/exports", {"format": "recipe", "items": "strip",
                           "recipe_format": "webp"})))
    text = _changed(rng, value, rng.choice((0, 1, 1, 2, 3)))
    data = text.encode("utf-8", "surrogatepass")
    chance = rng.random()
    if chance < 0.1 and data:
        data = data[:rng.randrange(len(data))]
    elif chance < 0.15:
        data = rng.randbytes(rng.randrange(200))
    elif chance < 0.2:
        data = text.encode(rng.choice(("utf-16", "utf-32", "utf-7")),
                           "replace")
    return Fuzz("POST", path, data)


def _changed(rng, value, times):
    """The JSON text of a value with some parts replaced."""
    value = json.loads(json.dumps(value))
    marks = {}
    for _ in range(times):
        value = _with_change(rng, value, marks)
    text = json.dumps(value)
    for mark, part in marks.items():
        text = text.replace(f'"{mark}"', part)
    return text


def _with_change(rng, value, marks):
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        key = rng.choice(list(value) if isinstance(value, dict)
                         else range(len(value)))
        chance = rng.random()
        if chance < 0.08:
            del value[key]
        elif chance < 0.14:
            if isinstance(value, dict):
                value[rng.choice(("", "x", "seed", "state", "\ud800"))] = 1
            else:
                value.extend(value[:1] * rng.choice((1, 120)))
        else:
            value[key] = _with_change(rng, value[key], marks)
        return value
    mark = f"mark {len(marks)}"
    marks[mark] = rng.choice(_VALUES)
    return mark


def _of_query(rng, known, _):
    which = rng.choice(("grey", "original", "0", "1", "99", "000", "x", "-1"))
    query = "&".join(
        f"{name}={urllib.parse.quote(value, safe=rng.choice(('', ',%')))}"
        for name, value in ((rng.choice(_QUERY), rng.choice(_QUERY_VALUES))
                            for _ in range(rng.randrange(4))))
    return Fuzz("GET", f"/api/photos/{known['photo']}/pictures/{which}?{query}")


def _of_path(rng, known, _):
    path = rng.choice(_ODD_PATHS).replace("PHOTO", known["photo"])
    return Fuzz(rng.choice(("GET", "GET", "POST")),
                path.replace("\n", ""), b"{}")


def _of_upload(rng, _, picture):
    data = bytearray(picture)
    for _ in range(rng.randrange(1, 20)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    chance = rng.random()
    if chance < 0.3:
        data = data[:rng.randrange(len(data))]
    elif chance < 0.4:
        data = bytearray(rng.randbytes(rng.randrange(300)))
    name = rng.choice(("a.png", "", "%", "%zz", "%ff%fe", "a%00b", "\xff",
                       "x" * 4000, "%F0%9F%98%80.png", "..%2f..%2fa.png"))
    return Fuzz("POST", "/api/photos", bytes(data), {"X-Name": name})


def _of_export(rng, known, _):
    method = rng.choice(("GET", "GET", "GET", "DELETE"))
    end = rng.choice(("", "/file", "/file"))
    ranges = ("bytes=0-1", "bytes=9-", "bytes=-5", "bytes=-0", "bytes=5-1",
              "bytes=0-1,3-4", "bytes=99999999-", "bytes=x", "x", "",
              "bytes=" + "0-1," * 999)
    return Fuzz(method, f"/api/exports/{known['job']}{end}", b"",
                {"Range": rng.choice(ranges)})
