"""The model card as a page of its own."""

from html import escape

from markdown_it import MarkdownIt
from starlette.responses import HTMLResponse
from starlette.routing import Route

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>{name}: model card</title>
  <link rel="icon" href="page/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="page/style.css">
</head>
<body>
  <header class="masthead">
    <p class="brand">
      <img src="page/icon.svg" alt="" width="28" height="28"> fer_sklearn
    </p>
    <a href="./">Back</a>
  </header>
  <main class="document">
{body}</main>
</body>
</html>
"""


def card_route(name, text):
    """Route ``/card``: a model card, from Markdown to HTML.

    Parameters
    ----------
    name : str
        Name of the model.
    text : str
        Markdown. HTML in it is shown as text.

    Returns
    -------
    route : starlette.routing.Route
    """
    # The preset "js-default" has tables, and no HTML.
    body = MarkdownIt("js-default").render(text)
    page = _PAGE.format(name=escape(name), body=body)

    async def card(request):
        return HTMLResponse(page, headers={"Cache-Control": "no-cache"})

    return Route("/card", card)
