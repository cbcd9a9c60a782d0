"""The studio's web interface: one function for each address.

Each function reads a request, calls a module of this folder, and makes the
answer.  The functions share one `desk.Desk`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.resources
import json
import mimetypes
import tempfile
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

import tfdivcolor
from tfdivcolor.settings import MAX_SAMPLES, MAX_WARMTH, OUTPUT_FORMATS
from tfdivcolor.studio import exports, points, states
from tfdivcolor.studio.desk import Desk, Refused
from tfdivcolor.studio.easel import SIZES, Gone
from tfdivcolor.studio.safety import UPLOAD_BYTES, TooLarge, too_large
from tfdivcolor.studio.sessions import Changed
from tfdivcolor.studio.strip import check_picture, plain_name
from tfdivcolor.studio.swatches import SWATCHES
from tfdivcolor.studio.worker import Replaced

_IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable"}


# --- Requests --------------------------------------------------------------


async def _page(request):
    return _file("index.html")


async def _static(request):
    return _file(request.path_params["name"])


def _file(name):
    """A file of the page, from the folder of the studio or the gallery."""
    package = importlib.resources.files(tfdivcolor)
    for room in ("studio/page", "gallery"):
        folder = package.joinpath(*room.split("/"))
        # The exact name of a file in the folder: no path leads outside.
        if name in {file.name for file in folder.iterdir()} and (
                name.endswith((".html", ".css", ".js", ".svg"))):
            kind = mimetypes.guess_type(name)[0]
            return Response(folder.joinpath(name).read_bytes(),
                            media_type=kind,
                            headers={"Cache-Control": "no-cache"})
    raise Refused(404, "page", "this page does not exist")


async def _about(request):
    desk = _desk(request)
    model = desk.worker.loaded
    return JSONResponse({
        "version": tfdivcolor.__version__,
        "weights": {"name": model.name if model else desk.weights_name,
                    "sha256": model.sha256 if model else None},
        "ready": model is not None, "model_error": None,
        "limits": {"upload_bytes": UPLOAD_BYTES, "num_samples": MAX_SAMPLES,
                   "warmth": MAX_WARMTH, "saturation": 10, "strength": 10},
        "defaults": states.START,
        "formats": [{"id": name} for name in exports.FORMATS],
        "recipe_formats": OUTPUT_FORMATS,
        "photos": [entry.described()
                   for entry in desk.strip.entries.values()]})


async def _swatches(request):
    return JSONResponse({"groups": [
        {"id": group, "swatches": [{"id": name, "rgb": rgb}
                                   for name, rgb in swatches.items()]}
        for group, swatches in SWATCHES.items()]})


async def _add(request):
    desk = _desk(request)
    name = plain_name(urllib.parse.unquote(
        request.headers.get("x-name", "photograph"), errors="replace"))
    digest = hashlib.sha256()
    # The file is in the data folder, so that the strip can rename it.
    with tempfile.NamedTemporaryFile(
            dir=desk.folder / "added", prefix=".", delete=False) as file:
        path = Path(file.name)
        try:
            async for part in request.stream():
                file.write(part)
                digest.update(part)
            file.close()
            check_picture(path, name)
            entry = desk.strip.add(name, path, digest.hexdigest())
        finally:
            path.unlink(missing_ok=True)
    try:
        await desk.easel(entry)
    except ValueError:
        desk.remove(entry)
        raise
    return JSONResponse(entry.described(), 201)


async def _remove(request):
    desk = _desk(request)
    desk.remove(desk.entry(request))
    return JSONResponse({})


async def _open(request):
    desk = _desk(request)
    entry = desk.entry(request)
    easel = await desk.easel(entry)
    photo, model = easel.photo, desk.worker.loaded
    part = easel.whole(SIZES[-2])
    return JSONResponse({
        **entry.described(), "width": easel.width, "height": easel.height,
        "is_grey": photo.is_grey, "notes": list(photo.notes),
        "depth": 8 if photo.pixels_16 is None else 16,
        "format": photo.image_format, "preview": [part.width, part.height],
        "session": model and desk.sessions.read(
            easel.checksum, model.sha256)})


async def _thumbnail(request):
    desk = _desk(request)
    return _jpeg(await desk.thumbnail(desk.entry(request)))


async def _picture(request):
    desk = _desk(request)
    easel = await desk.easel(desk.entry(request))
    which, key = request.path_params["which"], request.query_params.get("key")
    if "box" in request.query_params:
        box = _whole_numbers(request, "box", 4)
        part = easel.part(*box, *_whole_numbers(request, "reduce", 1, "1"))
    else:
        size, = _whole_numbers(request, "size", 1, str(SIZES[-2]))
        if size not in SIZES:
            raise Refused(422, "size", f"size must be one of {SIZES} "
                          f"(received {size})")
        part = easel.whole(size)
    if which in ("grey", "original"):
        data = await desk.on_thread(getattr(easel, which), part)
    elif which.isascii() and which.isdecimal() and len(which) < 4:
        desk.model()
        data = await desk.on_thread(easel.result, key, int(which), part)
    else:
        raise Refused(404, "picture", "this picture does not exist")
    return _jpeg(data)


def _jpeg(data):
    return Response(data, media_type="image/jpeg", headers=_IMMUTABLE)


def _whole_numbers(request, name, count, default=""):
    texts = request.query_params.get(name, default).split(",")
    if len(texts) != count or not all(
            text.isascii() and text.isdecimal() and len(text) < 10
            for text in texts):
        raise Refused(422, name, f"{name} must be a list of whole numbers, "
                      f"of length {count}")
    return [int(text) for text in texts]


async def _results(request):
    desk, easel, state, key, replaces = await _asked(
        request, "results", _body_of_state)

    def drawn(model):
        found = easel.results(model.colorizer, state, key)
        return found, points.of_hints(easel, model.colorizer, state, found)

    start = asyncio.get_running_loop().time()
    found, hints = await desk.worker.run(drawn, replaces)
    return JSONResponse({
        "key": key, "hints": hints,
        "results": [
            {"share": float(share), "log_prob": float(log_prob),
             "latents": [float(value) for value in latents]}
            for share, log_prob, latents in zip(
                found["share"], found["log_prob"], found["z"])],
        "regions": desk.model().colorizer.has_regions,
        "seconds": asyncio.get_running_loop().time() - start})


def _body_of_state(body):
    return body


async def _point(request):
    point = {}

    def state_of(body):
        if not isinstance(body, dict) or set(body) != {"state", "x", "y"}:
            raise ValueError("point must be an object with state, x and y")
        point.update(x=body["x"], y=body["y"])
        return body["state"]

    desk, easel, state, key, replaces = await _asked(
        request, "point", state_of)
    for name, side in (("x", easel.width), ("y", easel.height)):
        value = point[name]
        if (isinstance(value, bool) or not isinstance(value, int)
                or not 0 <= value < side):
            raise ValueError(f"{name} must be 0 to {side - 1} "
                             f"(received {states.shown(point[name])})")
    return JSONResponse(await desk.worker.run(
        lambda model: points.colors(
            easel, model.colorizer, state, key, **point), replaces))


async def _asked(request, kind, state_of):
    """Reads a request that has a state.

    Returns:
        `Desk`, `Easel`, `State`, its key, and the pair that names the request
        for `Worker.run`, or None.
    """
    desk = _desk(request)
    entry = desk.entry(request)
    state = states.parse(state_of(await _json(request)))
    model = desk.model()
    easel = await desk.easel(entry)
    tab = request.headers.get("x-tab", "")[:64]
    return (desk, easel, state, state.key(easel.checksum, model.sha256),
            (tab, kind) if tab else None)


async def _regions(request):
    desk = _desk(request)
    desk.model()
    easel = await desk.easel(desk.entry(request))
    found = await desk.worker.run(
        lambda model: points.regions(easel, model.colorizer))
    if found is None:
        raise Refused(404, "none", "these weights have no regions")
    return JSONResponse(found)


async def _gamut(request):
    lightness = request.path_params["lightness"]
    if lightness > 100:
        raise Refused(404, "lightness", "lightness must be 0 to 100")
    desk = _desk(request)
    desk.model()
    return JSONResponse(await desk.on_thread(points.gamut, lightness),
                        headers=_IMMUTABLE)


async def _session(request):
    desk = _desk(request)
    model, body = desk.model(), await _json(request)
    easel = await desk.easel(desk.entry(request))
    try:
        now = await desk.on_thread(
            desk.sessions.change, easel.checksum, model.sha256, body)
    except Changed as changed:
        return JSONResponse(
            {"error": "another tab changed the history of this photograph",
             "code": "revision", "session": changed.args[0]}, 409)
    return JSONResponse({"revision": now["revision"]})


async def _export(request):
    desk = _desk(request)
    order = exports.parse(await _json(request), desk.strip.entries)
    desk.model()
    return JSONResponse({"id": desk.exports.start(desk, order)}, 201)


async def _export_state(request):
    job = _job(request)
    if request.method == "DELETE":
        _desk(request).exports.stop(job)
        return JSONResponse({})
    return JSONResponse(job.described())


async def _export_file(request):
    job = _job(request)
    if job.state != "ready" or job.path is None:
        raise Refused(409, "running", "the file is not ready yet")
    return FileResponse(job.path, media_type="application/octet-stream",
                        filename=job.name)


def _job(request):
    try:
        return _desk(request).exports.jobs[request.path_params["job"]]
    except KeyError:
        raise Refused(404, "export", "this export does not exist") from None


def _desk(request) -> Desk:
    return request.app.state.desk


async def _json(request):
    """The JSON value in the body of a request."""
    def refused(text):
        raise ValueError(f"{text} is not a number")

    try:
        value = json.loads(await request.body(), parse_constant=refused)
        # Fails for lone surrogates, which no answer can contain.
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError) as error:
        raise Refused(400, "json", "the body must be JSON "
                      f"({str(error)[:100]})") from error


# --- The application -------------------------------------------------------


def build(desk: Desk) -> Starlette:
    """Makes the ASGI application.

    The application answers every request: put `safety.Guard` in front of it.

    Args:
        desk: `Desk`. The application closes it when it stops.

    Returns:
        Starlette application.
    """
    photo = "/api/photos/{photo}"
    app = Starlette(
        routes=[
            Route("/", _page), Route("/static/{name}", _static),
            Route("/api/studio", _about), Route("/api/swatches", _swatches),
            Route("/api/gamut/{lightness:int}", _gamut),
            Route("/api/photos", _add, methods=["POST"]),
            Route(photo, _open), Route(photo, _remove, methods=["DELETE"]),
            Route(f"{photo}/thumbnail", _thumbnail),
            Route(f"{photo}/pictures/{{which}}", _picture),
            Route(f"{photo}/results", _results, methods=["POST"]),
            Route(f"{photo}/point", _point, methods=["POST"]),
            Route(f"{photo}/regions", _regions),
            Route(f"{photo}/session", _session, methods=["POST"]),
            Route("/api/exports", _export, methods=["POST"]),
            Route("/api/exports/{job}", _export_state,
                  methods=["GET", "DELETE"]),
            Route("/api/exports/{job}/file", _export_file)],
        exception_handlers=_HANDLERS, lifespan=_lifespan)
    app.state.desk = desk
    return app


@contextlib.asynccontextmanager
async def _lifespan(app):
    yield
    app.state.desk.close()


def _answer(status, code, text):
    return JSONResponse({"error": " ".join(str(text).split()), "code": code},
                        status)


_HANDLERS: Mapping[Any, Any] = {
    Refused: lambda _, error: _answer(error.status, error.code, error),
    Replaced: lambda *_: _answer(409, "replaced",
                                 "a newer request replaced this one"),
    Gone: lambda *_: _answer(404, "gone", "these results are no longer in "
                             "memory; request them again"),
    # Pictures, states and sessions raise it with one line for the user.
    ValueError: lambda _, error: _answer(422, "value", error),
    OSError: lambda _, error: _answer(507, "disk", error),
    TooLarge: lambda _, error: too_large(error.args[0]),
    ClientDisconnect: lambda *_: _answer(400, "gone",
                                         "the page closed the connection"),
    404: lambda *_: _answer(404, "page", "this page does not exist"),
    405: lambda *_: _answer(405, "method",
                            "this address does not accept this method"),
}
