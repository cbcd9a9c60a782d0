"""The studio accepts its own page only, and reads its own files only."""

import io
import re
import socket
import time
import urllib.parse
import zipfile

import pytest
import studio_photos
from PIL import Image
from studio_server import status_of

SECRET = b"SECRET of another file"
STATE = {"seed": "1", "num_samples": 2}

# Every kind of address; PHOTO stands for the id of a photograph.
ROUTES = [
    ("GET", "/"), ("GET", "/static/index.html"), ("GET", "/api/studio"),
    ("GET", "/api/swatches"), ("GET", "/api/gamut/50"),
    ("POST", "/api/photos"), ("GET", "/api/photos/PHOTO"),
    ("DELETE", "/api/photos/PHOTO"), ("GET", "/api/photos/PHOTO/thumbnail"),
    ("GET", "/api/photos/PHOTO/pictures/original?size=128"),
    ("POST", "/api/photos/PHOTO/results"),
    ("POST", "/api/photos/PHOTO/point"),
    ("GET", "/api/photos/PHOTO/regions"),
    ("POST", "/api/photos/PHOTO/session"), ("POST", "/api/exports"),
    ("GET", "/api/exports/none"), ("GET", "/api/exports/none/file"),
    ("GET", "/none")]


def raw_head(studio, target, method="GET", **changed):
    """The head of a request with a valid cookie and an unchanged target."""
    headers = {**studio.headers(), "Host": f"127.0.0.1:{studio.port}",
               "Connection": "close", **changed}
    lines = [f"{method} {target} HTTP/1.1",
             *(f"{name}: {value}" for name, value in headers.items()
               if value is not None), "", ""]
    return "\r\n".join(lines).encode("latin-1")


# --- Host, origin and token ------------------------------------------------


@pytest.mark.parametrize("cookie", ["none", "wrong", "empty", "of another"])
def test_every_address_needs_the_token(studio, photo, cookie):
    headers = studio.headers()
    name = headers["Cookie"].partition("=")[0]
    headers["Cookie"] = {
        "none": "", "wrong": f"{name}={studio.token[:-1]}",
        "empty": f"{name}=", "of another": f"other={studio.token}"}[cookie]
    for method, path in ROUTES:
        answer = studio.request(method, path.replace("PHOTO", photo), b"{}",
                                headers)
        assert answer.status == 403, (method, path)
        assert path == "/" or answer.code == (403, "token")
    assert photo in [entry["id"] for entry in
                     studio.ask("GET", "/api/studio")["photos"]]


def test_the_token_becomes_a_cookie_that_scripts_do_not_see(studio):
    answer = studio.request("GET", f"/?token={studio.token}", headers={})
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie, *flags = answer.headers["set-cookie"].lower().split("; ")
    assert {"httponly", "samesite=strict", "path=/"} <= set(flags)
    assert not [flag for flag in flags if flag.startswith("domain")]
    for wrong in ("", "x", studio.token + "x", studio.token[:-1],
                  studio.token.swapcase(), "%F0%9F", "%00"):
        answer = studio.request("GET", f"/?token={wrong}", headers={})
        assert answer.status == 403 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:PORT", "127.0.0.1.evil.example:PORT",
    "localhost.evil.example:PORT", "localhost:1", "127.0.0.1", "127.0.0.2:PORT",
    "evil@127.0.0.1:PORT", "127.0.0.1:PORT@evil.example", "0.0.0.0:PORT",
    "2130706433:PORT", "127.1:PORT", "[::1", "[::]:PORT", "localhost:PORTx",
    "127.0.0.1:PORT, evil.example", "", None])
def test_another_host_is_refused(studio, host):
    """A foreign name may resolve to this machine: DNS rebinding."""
    host = host and host.replace("PORT", str(studio.port))
    for target in ("/api/studio", f"/?token={studio.token}"):
        answer = studio.raw(raw_head(studio, target, Host=host, Origin=None))
        assert status_of(answer) in (400, 403), answer
        assert b"set-cookie" not in answer.lower()


def test_two_hosts_are_refused(studio):
    good = raw_head(studio, "/api/studio")
    assert status_of(studio.raw(good)) == 200
    line = re.search(rb"Host: .*?\r\n", good)[0]
    for both in (line + b"Host: evil.example\r\n",
                 b"Host: evil.example\r\n" + line):
        assert status_of(studio.raw(good.replace(line, both))) in (400, 403)


def test_its_own_names_are_let_in(studio):
    for name in ("127.0.0.1", "localhost", "LOCALHOST"):
        answer = studio.raw(raw_head(
            studio, "/api/studio", Host=f"{name}:{studio.port}", Origin=None))
        assert status_of(answer) == 200, name


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": ""},
    {"Origin": "https://127.0.0.1:PORT"}, {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://127.0.0.1"}, {"Origin": "http://localhost:PORT"},
    {"Origin": "http://127.0.0.1:PORT.evil.example"},
    {"Origin": None, "Sec-Fetch-Site": "cross-site"},
    {"Origin": None, "Sec-Fetch-Site": "same-site"}])
def test_another_page_is_refused(studio, photo, headers):
    headers = {name: value and value.replace("PORT", str(studio.port))
               for name, value in headers.items()}
    for method, path in ROUTES[2:]:
        answer = studio.raw(raw_head(
            studio, path.replace("PHOTO", photo), method, **headers))
        assert status_of(answer) == 403, (method, path, answer)
    assert studio.request("GET", f"/api/photos/{photo}").status == 200


def test_it_listens_to_this_machine_only(studio):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            address = probe.getsockname()[0]
        except OSError:
            pytest.skip("needs a network address other than loopback")
    with pytest.raises(OSError):
        socket.create_connection((address, studio.port), timeout=5).close()


def test_websockets_are_refused(studio):
    answer = studio.raw(raw_head(
        studio, "/api/studio", Connection="Upgrade, close", Upgrade="websocket",
        **{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
           "Sec-WebSocket-Version": "13"}))
    assert status_of(answer) in (200, 400, 403, 404, 426)


# --- Files -----------------------------------------------------------------

OUT = ["..", "../..", "../../../../../../etc/passwd", "%2e%2e",
       "%2e%2e%2fsecret.txt", "..%2f..%2fsecret.txt", "..%5csecret.txt",
       "....//secret.txt", "%252e%252e%252fsecret.txt", "..;/secret.txt",
       "%c0%ae%c0%ae/secret.txt", "/etc/passwd", "%2fetc%2fpasswd",
       "secret.txt%00.css", "secret.txt", "SECRET_PATH", "file:SECRET_PATH"]


@pytest.mark.parametrize("prefix", [
    "/static/", "/api/photos/", "/api/photos/PHOTO/pictures/",
    "/api/exports/", "/", "//", "/static/look.css/"])
def test_no_path_leads_to_other_files(studio, photo, prefix):
    secret = studio.data / "secret.txt"
    secret.write_bytes(SECRET)
    for out in OUT:
        out = out.replace("SECRET_PATH", str(secret))
        for end in ("", "/file", "/thumbnail"):
            target = prefix.replace("PHOTO", photo) + out + end
            answer = studio.raw(raw_head(studio, target))
            assert SECRET not in answer and b"root:" not in answer, target
            assert 300 <= status_of(answer) < 500 or (
                answer.endswith(b"</html>\n")), (target, answer)


def test_only_the_page_is_static(studio):
    page = studio.request("GET", "/static/index.html")
    assert page.status == 200 and page.headers["content-type"].startswith(
        "text/html")
    for name in ("app.py", "__init__.py", "previews.py", "page.py", "page", "",
                 ".", "gallery.py", "INDEX.HTML", "index.html%20",
                 "index.html/", "none.js"):
        answer = studio.request("GET", f"/static/{name}")
        assert answer.status in (404, 307), name


NAMES = [
    "../../evil.png", "/etc/cron.d/evil.png", "..\\..\\evil.png",
    "C:\\evil.png", "..", ".", "", "evil\0.png", "evil\r\nX: y.png", "a/b/",
    "~/evil.png", "\u202egnp.live", "x" * 3000, "con", "\ud800",
    "%2e%2e%2fevil.png", "token", "strip.json"]


@pytest.mark.slow
def test_a_photographs_name_leads_nowhere(studio, tmp_path):
    before, items = set(studio.folder.rglob("*")), []
    for name in NAMES:
        header = urllib.parse.quote(name.encode("utf-8", "surrogatepass"))
        added = studio.request(
            "POST", "/api/photos", studio_photos.write(tmp_path).read_bytes(),
            {**studio.headers(), "X-Name": header})
        assert added.status == 201, name
        shown = added.json["name"]
        assert 0 < len(shown) <= 255 and shown.strip(". "), name
        assert not set(shown) & set("/\\\0\r\n"), name
        items.append({"photo": added.json["id"], "state": STATE, "ranks": [0]})
    for path in set(studio.folder.rglob("*")) - before:
        assert re.fullmatch("tfdivcolor/studio/added/[0-9a-f]+",
                            str(path.relative_to(studio.data))), path
    job = studio.ask("POST", "/api/exports", {"format": "jpeg",
                                              "items": items})["id"]
    assert studio.ready(job)["left_out"] == []
    file = studio.request("GET", f"/api/exports/{job}/file")
    assert file.headers["content-disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(file.body)) as archive:
        names = archive.namelist()
    assert len(set(names)) == len(NAMES)
    for name in names:
        assert not set(name) & set("/\\\0\r\n") and name.strip(". "), name
    for item in items:
        studio.ask("DELETE", f"/api/photos/{item['photo']}")


def test_what_it_stores_is_its_owners_alone(studio, photo):
    studio.ask("POST", f"/api/photos/{photo}/session", {
        "revision": 0, "keep": 0, "at": 0, "kept": [], "states": [
            {"state": STATE, "label": "first", "thumb": None}]})
    job = studio.ask("POST", "/api/exports", {"format": "png", "items": [
        {"photo": photo, "state": STATE, "ranks": [0, 1]}]})["id"]
    studio.ready(job)
    kinds = {path.parent.name for path in studio.files()}
    assert {"added", "sessions"} <= kinds
    for path in studio.files():
        if path.name != "secret.txt":
            assert path.stat().st_mode & 0o777 == 0o600, path
    folder, = (studio.data / "tfdivcolor").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700


# --- Limits ----------------------------------------------------------------

MEGABYTES_200 = 200 << 20


@pytest.mark.parametrize("path", [
    "/api/photos", "/api/photos/PHOTO/results", "/api/exports", "/none"])
@pytest.mark.parametrize("length", [
    str(MEGABYTES_200), "9" * 18, "9" * 5000])
def test_200_megabytes_are_refused_before_they_come(
        studio, photo, path, length):
    head = raw_head(studio, path.replace("PHOTO", photo), "POST",
                    **{"Content-Length": length})
    assert status_of(studio.raw(head)) in (400, 404, 413)


@pytest.mark.parametrize("length", ["-1", "1x", "", "1, 2", "\xb2"])
def test_odd_lengths_are_refused(studio, photo, length):
    head = raw_head(studio, f"/api/photos/{photo}/results", "POST",
                    **{"Content-Length": length})
    assert status_of(studio.raw(head + b"{}")) in (400, 403, 413, 422)


@pytest.mark.parametrize("path, most", [
    ("/api/photos", 160), ("/api/photos/PHOTO/results", 16), ("/none", 16)])
def test_200_megabytes_in_chunks_are_refused_and_not_kept(
        studio, photo, path, most):
    memory = studio.calm_memory()
    files = set(studio.files())
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"  # a megabyte
    sent, answer = 0, b""
    with socket.create_connection(
            ("127.0.0.1", studio.port), timeout=20) as connection:
        connection.sendall(raw_head(
            studio, path.replace("PHOTO", photo), "POST",
            **{"Transfer-Encoding": "chunked"}))
        try:
            while sent < 200:
                connection.sendall(chunk)
                sent += 1
            connection.sendall(b"0\r\n\r\n")
        except OSError:  # the server closed the connection
            pass
        try:
            while part := connection.recv(1 << 16):
                answer += part
        except OSError:
            pass
    assert not answer or status_of(answer) in (404, 413), answer
    # The system's buffers hold a few megabytes.
    assert sent < most or answer
    assert studio.memory() < memory + 48
    assert set(studio.files()) == files


def test_an_upload_that_breaks_off_leaves_nothing(studio, tmp_path):
    data = studio_photos.write(tmp_path).read_bytes()
    files = set(studio.files())
    head = raw_head(studio, "/api/photos", "POST",
                    **{"Content-Length": str(len(data) + 1)})
    studio.raw(head + data, breaks_off=True)
    deadline = time.monotonic() + 5
    while set(studio.files()) != files and time.monotonic() < deadline:
        time.sleep(0.02)
    assert set(studio.files()) == files


# --- Answers ---------------------------------------------------------------

SCRIPT = b"<script>alert(1)</script>"


@pytest.mark.parametrize("name, data", [
    ("evil.html", b"<!doctype html><html>" + SCRIPT),
    ("evil.svg", b'<svg xmlns="http://www.w3.org/2000/svg">' + SCRIPT
     + b"</svg>"),
    ("evil.png", b"<!doctype html>" + SCRIPT), ("evil.js", b"alert(1)"),
    ("evil.png", b""), ("evil.png", b"\x89PNG\r\n\x1a\n" + SCRIPT),
    ("evil.pdf", b"%PDF-1.7\n" + SCRIPT)])
def test_what_is_no_picture_is_refused(studio, name, data):
    files = set(studio.files())
    answer = studio.request("POST", "/api/photos", data,
                            {**studio.headers(), "X-Name": name})
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/json"
    assert name in answer.json["error"] and SCRIPT not in answer.body
    assert set(studio.files()) == files


def test_a_picture_comes_back_as_a_picture_only(studio, tmp_path):
    path = studio_photos.write(tmp_path, "evil.html.jpg", comment=SCRIPT)
    with open(path, "ab") as file:
        file.write(SCRIPT)
    assert path.read_bytes().count(SCRIPT) == 2
    photo = studio.add(path)
    for address in ("thumbnail", "pictures/grey?size=128",
                    "pictures/original?size=2048",
                    "pictures/original?box=0,0,64,64&reduce=1"):
        answer = studio.request("GET", f"/api/photos/{photo}/{address}")
        assert answer.status == 200
        assert answer.headers["content-type"] == "image/jpeg"
        assert SCRIPT not in answer.body
        Image.open(io.BytesIO(answer.body)).load()
    studio.ask("DELETE", f"/api/photos/{photo}")


def test_every_answer_has_the_headers(studio, photo):
    seen = set()
    requests = [(*route, b"{}") for route in ROUTES if route[0] != "DELETE"]
    requests += [
        ("GET", f"/?token={studio.token}", None), ("PUT", "/api/studio", b""),
        ("GET", "/static/none.js", None), ("OPTIONS", "/api/photos", None),
        ("GET", "/static/look.css", None), ("HEAD", "/", None),
        ("GET", "/?token=wrong", None),
        ("POST", "/api/photos/PHOTO/results", b"{")]
    for method, path, body in requests:
        for headers in (studio.headers(), {}):
            answer = studio.request(
                method, path.replace("PHOTO", photo), body, headers)
            seen.add(answer.status)
            policy = dict(part.strip().split(" ", 1) for part in
                          answer.headers["content-security-policy"].split(";"))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == "'self'"
            assert policy["frame-ancestors"] == "'none'"
            assert policy["connect-src"] == "'self'"
            assert "unsafe" not in str(policy) and "http" not in str(policy)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "access-control-allow-origin" not in answer.headers
            cached = answer.headers["cache-control"]
            if "public" in cached or answer.status >= 400:
                assert cached == "no-store", (path, answer.status)
            if path.startswith("/api/") and "json" in answer.headers[
                    "content-type"] and "gamut" not in path:
                assert cached == "no-store", path
    assert {200, 303, 400, 403, 404, 405, 422} <= seen


def test_the_log_does_not_tell_the_token(studio, photo):
    studio.request("GET", f"/?token={studio.token}", headers={})
    studio.request("GET", f"/none?token={studio.token}")
    studio.request("GET", "/none")
    told = {line for line in studio.log().splitlines()
            if studio.token in line}
    # Only the address that the studio prints at its start.
    assert told == {f"studio at {studio.address}"}
