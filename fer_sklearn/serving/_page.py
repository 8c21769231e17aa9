"""The page, read once at the start: no request reaches the file system."""

from importlib.resources import files

from starlette.responses import Response
from starlette.routing import Route

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def page_routes():
    """Routes to the files of the page, ``index.html`` as ``/``.

    Returns
    -------
    routes : list of starlette.routing.Route
        One a file.
    """
    routes = []
    for file in sorted(files(__package__).joinpath("page").iterdir(), key=str):
        kind = file.name.rpartition(".")[2]
        if kind in _TYPES:
            path = "/" if file.name == "index.html" else f"/page/{file.name}"
            routes.append(Route(path, _endpoint(file.read_bytes(), _TYPES[kind])))
    return routes


def _endpoint(content, media_type):
    async def show(request):
        # After an update of the service, no browser shows the page of before.
        headers = {"Cache-Control": "no-cache"}
        return Response(content, media_type=media_type, headers=headers)

    return show
