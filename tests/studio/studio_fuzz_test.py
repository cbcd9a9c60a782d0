"""The studio answers any request and continues to work."""

import io
import json
import re

import pytest
import studio_fuzz
import studio_photos
from PIL import Image
from studio_server import status_of


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Bytes of picture files of several formats."""
    folder = tmp_path_factory.mktemp("fuzz")
    return [studio_photos.write(folder, f"a.{suffix}", **options).read_bytes()
            for suffix, options in (
                ("png", {}), ("jpg", {}), ("webp", {}), ("gif", {}),
                ("tif", {"compression": "tiff_lzw"}), ("bmp", {}))]


@pytest.mark.parametrize("numbers", [
    range(300), pytest.param(range(300, 5300), marks=pytest.mark.slow)],
    ids=["few", "5000"])
def test_no_request_makes_it_fail(studio, photo, pictures, numbers):
    statuses, known = {}, {"photo": photo, "revision": 0, "job": "none"}
    for number in numbers:
        request = studio_fuzz.make(number, known,
                                   pictures[number % len(pictures)])
        answer = studio.raw(request.bytes({
            "Host": f"127.0.0.1:{studio.port}", **studio.headers(),
            "X-Tab": str(number % 3)}), breaks_off=bool(request.cut))
        status = status_of(answer)
        assert (status or request.cut) and not (status or 0) >= 500, (
            number, request, answer)
        statuses[status] = statuses.get(status, 0) + 1
        head, _, body = answer.partition(b"\r\n\r\n")
        if b"content-type: application/json" in head and body:
            said = json.loads(body)
            if status >= 400:
                is_one_line(said["error"], number)
            elif request.path.endswith("/session"):
                known["revision"] = said["revision"]
                # A later request returns the accepted session.
                opened = studio.ask("GET", f"/api/photos/{photo}")
                assert opened["session"]["revision"] == known["revision"]
            elif request.path == "/api/exports":
                known["job"] = said["id"]
    assert "Traceback" not in studio.log()
    # The requests reach many kinds of answers, not only refusals.
    assert {200, 201, 400, 404, 405, 422} <= set(statuses), statuses
    assert known["revision"] > len(numbers) / 100 and known["job"] != "none"
    still_works(studio, photo)


def is_one_line(error, number):
    """Checks that an error is one line for people."""
    assert error and "\n" not in error, (number, error)
    assert len(error) < 600, (number, error)
    assert not re.search("Traceback|object at 0x|NoneType", error), (
        number, error)


def still_works(studio, photo):
    opened = studio.ask("GET", f"/api/photos/{photo}")
    assert opened["session"] is not None
    state = {**studio_fuzz.STATE, "seed": "77"}
    found = studio.ask("POST", f"/api/photos/{photo}/results", state)
    assert len(found["results"]) == 2 and found["hints"][0]["ab"]
    shown = studio.request(
        "GET", f"/api/photos/{photo}/pictures/0?size=128&key={found['key']}")
    assert Image.open(io.BytesIO(shown.body)).size == (96, 64)
    for entry in studio.ask("GET", "/api/studio")["photos"]:
        if entry["added"] and entry["id"] != photo:  # tidies up
            studio.ask("DELETE", f"/api/photos/{entry['id']}")
