"""The files of the page: complete, self-contained, and safe to show."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
from serving_helpers import serving

PAGE = files("fer_sklearn.serving").joinpath("page")
NAMES = sorted(file.name for file in PAGE.iterdir())


def test_every_file_is_served(client):
    assert "index.html" in NAMES
    for name in NAMES:
        path = "/" if name == "index.html" else f"/page/{name}"
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.content == PAGE.joinpath(name).read_bytes()
        assert client.head(path).status_code == 200


@pytest.mark.parametrize("name", NAMES)
def test_nothing_comes_from_elsewhere(name):
    text = PAGE.joinpath(name).read_bytes().decode("utf-8", errors="replace")
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}


def test_every_reference_of_the_page_exists(client):
    html = client.get("/").text
    references = re.findall(r'(?:src|href)="([^"#]+)"', html)
    assert len(references) >= 4
    for reference in references:
        assert client.get(f"/{reference}").status_code == 200, reference
    for name in NAMES:
        if name.endswith(".js"):
            source = PAGE.joinpath(name).read_text(encoding="utf-8")
            imports = re.findall(r'from "\./([^"]+)"', source)
            assert set(imports) <= set(NAMES)
            # Every id that the scripts look up exists.
            for id in re.findall(r'(?:\$|getElementById)\("([\w-]+)"\)', source):
                assert f'id="{id}"' in html, id


def test_headers_forbid_everything_else(client):
    headers = client.get("/").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    html = client.get("/").text
    assert "style=" not in html
    assert not re.search(r"<script(?![^>]*src=)", html)
    assert not re.search(r"\son\w+=", html)


def test_the_page_on_security_names_the_headers(client):
    page = Path(__file__).parents[2] / "docs" / "security.md"
    text = page.read_text(encoding="utf-8")
    found = {name.lower() for name in client.get("/health").headers}
    for name in (
        "Content-Security-Policy",
        "X-Content-Type-Options",
        "X-Frame-Options",
        "Referrer-Policy",
    ):
        assert name.lower() in found
        assert f"`{name}`" in text


def test_scripts_never_take_text_as_html():
    for name in (name for name in NAMES if name.endswith((".js", ".html"))):
        source = PAGE.joinpath(name).read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(", source)


def test_every_control_has_a_name(client):
    html = client.get("/").text
    for field in re.findall(r"<input [^>]*>", html):
        id = re.search(r'id="([^"]+)"', field)[1]
        in_label = re.search(rf'<label[^>]*>\s*<input [^>]*id="{id}"', html)
        assert f'for="{id}"' in html or in_label or " hidden" in field
    for button in re.findall(r"<button[^>]*>(.*?)</button>", html, re.S):
        assert button.strip()
    assert 'lang="en"' in html
    assert 'aria-live="polite"' in html
    assert 'name="viewport"' in html


def luminance(colour):
    levels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in levels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Contrast as WCAG 2 defines it, from 1 to 21."""
    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast(scheme):
    css = PAGE.joinpath("style.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.S)
    )
    colours = light if scheme == "light" else {**light, **dark}
    for text, ground in [
        ("ink", "paper"),
        ("soft", "paper"),
        ("ink", "card"),
        ("soft", "card"),
        ("accent", "paper"),
        ("alert-ink", "alert"),
        ("ink", "track"),
    ]:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    # Boxes have text in the colour of the page, and bars have to be visible.
    for emotion in ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]:
        assert contrast(colours["paper"], colours[emotion]) >= 4.5, emotion


def test_page_is_the_same_for_every_model(pipe, client):
    with serving(pipe, name="<script>alert(1)</script>", detect=None) as other:
        assert other.get("/").text == client.get("/").text


def test_model_card_is_a_page(pipe):
    text = "# A card\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>x()</script>"
    with serving(pipe, name="<b>", card={"text": text}, token="x", detect=None) as c:
        answer = c.get("/card")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    html = answer.text
    assert "<title>&lt;b&gt;: model card</title>" in html
    assert "<h1>A card</h1>" in html
    assert "<td>2</td>" in html
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_no_card_no_page(client):
    assert client.get("/card").status_code == 404


def test_page_promises_no_more_than_expressions(client):
    assert "<h1>Recognise facial expressions</h1>" in client.get("/").text
