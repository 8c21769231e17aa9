"""The page in a real Chromium: drop a synthetic face, read the emotion."""

import base64
import csv
import io
import shutil
import time
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from serving_helpers import encode, serving

from fer_sklearn.cli.serve import describe
from fer_sklearn.datasets import EMOTIONS
from fer_sklearn.photos import FaceCropper

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="needs Debian's packages chromium and chromium-driver",
    ),
]

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--use-fake-ui-for-media-stream --use-fake-device-for-media-stream "
    "--window-size=1100,900"
).split()

DROP = """
const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
const data = new DataTransfer();
for (const name of arguments[1]) {
  data.items.add(new File([bytes], name, { type: "image/png" }));
}
const options = { dataTransfer: data, bubbles: true, cancelable: true };
document.getElementById("drop").dispatchEvent(new DragEvent("drop", options));
"""
READY = "return document.documentElement.dataset.ready"
STATUS = "return document.getElementById('status').textContent"
ALERT = "return document.getElementById('alert').textContent"
WIDTHS = "return [document.documentElement.scrollWidth, window.innerWidth]"
# In one step, because the next frame has new boxes.
LIVE_BOXES = """
return [...document.querySelectorAll("#live-boxes .box")].map((box) => {
  const { x, width } = box.getBoundingClientRect();
  return { x, width, label: box.getAttribute("aria-label") };
})
"""
FOCUSED = "return document.activeElement.id"
OPEN_ALL = "document.querySelectorAll('details').forEach((e) => { e.open = true; })"


def detect(image):
    """One face, two or a group, by the shape of the picture; none in a tall one.

    One face is in the upper right corner. Of two, the larger one is at the right. In a
    group the faces touch, and reach up to the border of the picture.
    """
    height, width = image.shape[:2]
    if width <= height:
        return []
    if width < 1.5 * height:
        side = height // 5
        return [[width - side, 0, side, side]]
    if width < 5 * height:
        return [[0, 0, height - 9, height], [width - height, 0, height, height]]
    sides = [height - 7 * (place % 3) for place in range(width // height)]
    return [[height * i, 0, side, side] for i, side in enumerate(sides)]


@pytest.fixture(scope="module")
def service(pipe):
    options = {"name": "stand-in", "card": {"accuracy": 0.7132, "recall": {"sad": 0.5}}}
    with serving(pipe, detect=detect, **options) as client:
        yield client


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


def wait(browser, script, seconds=40):
    stop = time.monotonic() + seconds
    while not (value := browser.execute_script(script)):
        assert time.monotonic() < stop, f"{script}: {browser.get_log('browser')}"
        time.sleep(0.05)
    return value


def visit(browser, service):
    browser.get(str(service.base_url))
    wait(browser, READY)


def drop(browser, picture, *names):
    data = base64.b64encode(encode(picture)).decode()
    browser.execute_script(DROP, data, list(names))


def texts(browser, selector):
    return [e.text for e in browser.find_elements("css selector", selector)]


def test_drop_a_face_read_the_emotion(browser, service, pipe, pictures):
    expected = pipe.predict_proba(pictures[:1])[0]
    emotion = EMOTIONS[expected.argmax()]
    visit(browser, service)
    drop(browser, pictures[0], "Anna.png")
    sure = f"{100 * expected.max():.0f}%"
    assert wait(browser, STATUS) == f"1 face: {emotion}, {sure}."
    assert texts(browser, ".card .word") == [emotion.capitalize()]
    labels = [label.lower() for label in texts(browser, ".bars .label")]
    assert labels == list(EMOTIONS)
    shown = [int(value.rstrip("%")) for value in texts(browser, ".bars .value")]
    np.testing.assert_allclose(shown, 100 * expected, atol=0.51)
    assert texts(browser, ".file") == ["Anna.png"]
    problems = [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert problems == []


def test_photo_with_two_faces_has_boxes(browser, service, pipe, pictures):
    faces = [np.asarray(Image.fromarray(p).resize((96, 96))) for p in pictures[:2]]
    photo = np.hstack([faces[0], np.full((96, 60), 255, np.uint8), faces[1]])
    visit(browser, service)
    drop(browser, photo, "two.png")
    assert wait(browser, STATUS).startswith("2 faces: ")
    stage = browser.find_element("css selector", "article .stage img").rect
    left, right = [b.rect for b in browser.find_elements("css selector", ".box")]
    scale = stage["width"] / photo.shape[1]
    for box, x, width in [(left, 0, 87), (right, 156, 96)]:
        assert box["x"] - stage["x"] == pytest.approx(x * scale, abs=2)
        assert box["width"] == pytest.approx(width * scale, abs=2)
    browser.find_elements("css selector", ".box")[1].click()
    assert browser.execute_script(FOCUSED) == "picture-0-face-1"


def test_faces_are_numbered_from_left_to_right(browser, service, pictures):
    """The service has the largest first."""
    visit(browser, service)
    drop(browser, np.hstack(pictures[:6]), "group.png")
    wait(browser, STATUS)
    boxes = browser.find_elements("css selector", ".box")
    names = [box.get_attribute("aria-label").split()[:3] for box in boxes]
    assert [name[1] for name in names] == list("123456")
    places = [box.rect["x"] for box in boxes]
    assert places == sorted(places)
    assert texts(browser, ".card .number") == list("123456")
    assert texts(browser, ".card .word") == [name[2].capitalize() for name in names]


@pytest.mark.parametrize("width", [360, 390, 1280])
@pytest.mark.parametrize("n_faces", [1, 2, 6])
def test_chips_neither_overlap_nor_are_cut(browser, service, pictures, width, n_faces):
    pair = np.hstack([pictures[0], pictures[1][:, :9], pictures[1]])
    one, group = np.tile(pictures[0], (4, 5)), np.hstack(pictures[:6])
    picture = {1: one, 2: pair, 6: group}[n_faces]
    with screen(browser, width):
        visit(browser, service)
        drop(browser, picture, "a.png")
        wait(browser, STATUS)
        stage = browser.find_element("css selector", "article .stage").rect
        chips = [c.rect for c in browser.find_elements("css selector", ".chip")]
    assert len(chips) == n_faces
    left, right = stage["x"], stage["x"] + stage["width"]
    for chip, next_chip in zip(chips, [*chips[1:], {"x": right}], strict=True):
        assert left <= chip["x"]
        assert chip["x"] + chip["width"] <= next_chip["x"] + 0.5
        assert stage["y"] <= chip["y"]


def test_small_face_is_shown_large(browser, service, pictures):
    visit(browser, service)
    drop(browser, pictures[0], "a.png")
    wait(browser, STATUS)
    image = browser.find_element("css selector", "article img").rect
    assert image["width"] == image["height"] == 240


def test_example(browser, pipe):
    """The real detector finds the face of the photograph that comes with the page."""
    with serving(pipe) as client:
        visit(browser, client)
        browser.find_element("id", "example").click()
        assert wait(browser, STATUS).startswith("1 face: ")
        assert texts(browser, ".file") == ["example.jpg"]


def test_download_as_csv(browser, service, pipe, pictures):
    """As `fer-sklearn predict` writes it; a name that is a formula is made harmless."""
    visit(browser, service)
    # A download in a test is a string: the link is caught before it is followed.
    browser.execute_script(
        "URL.createObjectURL = (blob) => {"
        " if (blob.type === 'text/csv')"
        " blob.text().then((text) => { window.written = text; }); return '#'; }"
    )
    assert not browser.find_element("id", "csv").is_displayed()
    pair = np.hstack([pictures[0], pictures[1][:, :9], pictures[1]])
    drop(browser, pair, "=1+1,a.png")
    wait(browser, STATUS)
    browser.find_element("id", "csv").click()
    rows = list(csv.reader(io.StringIO(wait(browser, "return window.written"))))
    boxes = ["x", "y", "width", "height"]
    assert rows[0] == ["file", "face", "emotion", *EMOTIONS, *boxes]
    assert [row[:2] for row in rows[1:]] == [
        ["'=1+1,a.png", "0"],
        ["'=1+1,a.png", "1"],
    ]
    for row in rows[1:]:
        y_prob = np.array(row[3:10], dtype=float)
        assert y_prob.sum() == pytest.approx(1, abs=1e-4)
        assert row[2] == EMOTIONS[y_prob.argmax()]
    assert [row[10] for row in rows[1:]] == sorted(
        (row[10] for row in rows[1:]), key=int
    )
    browser.find_element("id", "camera").click()
    wait(browser, "return document.querySelector('#live-cards .card') !== null")
    assert not browser.find_element("id", "csv").is_displayed()


def test_why_shows_what_the_prediction_rests_on(browser, service, pictures):
    visit(browser, service)
    pair = np.hstack([pictures[0], pictures[1][:, :9], pictures[1]])
    drop(browser, pair, "pair.png")
    wait(browser, STATUS)
    first, second = browser.find_elements("css selector", ".card .buttons button")
    for button, place in ((second, 1), (first, 0)):
        button.click()
        wait(browser, "return document.querySelector('.reason')")
        (reason,) = browser.find_elements("css selector", ".reason")
        cards = browser.find_elements("css selector", ".card")
        assert reason.text.startswith(("Orange parts speak for ", "No part decides"))
        assert reason.find_element("xpath", "..") == cards[place]
        # The layer is over the face, and not empty.
        (layer,) = browser.find_elements("css selector", "article .why")
        box = browser.find_elements("css selector", "article .box")[place]
        for side in ("x", "y", "width", "height"):
            assert layer.rect[side] == pytest.approx(box.rect[side], abs=4)
        assert browser.execute_script(
            "const { data } = arguments[0].getContext('2d').getImageData(0, 0, 48, 48);"
            "return data.some((value) => value > 0)",
            layer,
        )
        assert button.get_attribute("aria-pressed") == "true"
    first.click()
    assert not browser.find_elements("css selector", ".why, .reason")
    assert first.get_attribute("aria-pressed") == "false"


def test_save_the_picture(browser, service, pictures):
    visit(browser, service)
    photo = np.tile(pictures[0], (4, 5))
    drop(browser, photo, "one.png")
    wait(browser, STATUS)
    browser.execute_script(
        "URL.createObjectURL = (blob) => {"
        " const reader = new FileReader();"
        " reader.onload = () => { window.saved = reader.result; };"
        " reader.readAsDataURL(blob); return '#'; }"
    )
    browser.find_element("id", "save").click()
    kind, _, data = wait(browser, "return window.saved").partition(",")
    assert kind == "data:image/png;base64"
    saved = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
    width, height = saved.size
    assert width / height == pytest.approx(photo.shape[1] / photo.shape[0], rel=0.01)
    # The box is in colour, at the upper right corner; the rest of the photo is grey.
    colours = np.ptp(np.asarray(saved).astype(int), axis=2)
    assert colours[:, : width // 2].max() == 0
    assert colours[: height // 2, width // 2 :].max() > 40


def test_treat_as_one_face(browser, service, pipe, pictures):
    photo = np.tile(pictures[0], (12, 6))
    face = FaceCropper(cropped=True).crop([photo])
    emotion = EMOTIONS[pipe.predict(face)[0]]
    visit(browser, service)
    drop(browser, photo, "high.png")
    assert wait(browser, STATUS) == "No face was found."
    assert texts(browser, ".nobody p") == ["No face was found."]
    browser.find_element("css selector", ".nobody button").click()
    wait(browser, "return document.querySelector('.card')")
    assert texts(browser, ".card .word") == [emotion.capitalize()]
    assert texts(browser, ".note") == [
        "The middle of the photo was treated as one face."
    ]
    assert browser.execute_script(FOCUSED) == "picture-0-face-0"
    assert browser.execute_script(STATUS).startswith(f"1 face: {emotion}, ")


def test_large_photo_is_sent_smaller(browser, service, pictures):
    large = np.tile(pictures[0], (50, 60))
    visit(browser, service)
    drop(browser, large, "large.png")
    wait(browser, STATUS)
    (caption,) = texts(browser, "article figcaption")
    assert "1600 \N{MULTIPLICATION SIGN} 1333" in caption


def test_several_photos_in_order(browser, service, pictures):
    visit(browser, service)
    drop(browser, pictures[0], "1.png", "2.png", "3.png")
    wait(browser, STATUS)
    assert texts(browser, ".file") == ["1.png", "2.png", "3.png"]


def test_what_is_no_picture_is_said(browser, service):
    visit(browser, service)
    data = base64.b64encode(b"hello").decode()
    browser.execute_script(DROP, data, ["<b>note</b>.txt"])
    alert = wait(browser, ALERT)
    assert "is not in a format that is read here" in alert
    assert not browser.find_elements("css selector", "#alert b")


def test_keyboard_reaches_everything(browser, service):
    visit(browser, service)
    from selenium.webdriver import Keys

    seen = []
    for _ in range(7):
        active = browser.switch_to.active_element
        active.send_keys(Keys.TAB)
        seen.append(browser.execute_script(FOCUSED))
    assert [id for id in seen if id] == ["choose", "camera", "example", "cropped"]
    browser.find_element("id", "camera").send_keys(Keys.ENTER)
    wait(browser, "return document.querySelector('#live-cards .card') !== null")
    assert browser.execute_script(FOCUSED) == "stop"
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    assert browser.execute_script(FOCUSED) == "camera"
    assert not browser.find_element("id", "live").is_displayed()


def test_camera_shows_boxes_at_once(browser, service):
    visit(browser, service)
    browser.find_element("id", "camera").click()
    wait(browser, "return document.querySelectorAll('#live-boxes .box').length === 2")
    assert len(browser.find_elements("css selector", "#live-cards .card")) == 2
    # Chromium's fake camera looks at the user: the picture is mirrored, and so are
    # the boxes. The larger one is at the right of the camera's picture.
    first, second = browser.execute_script(LIVE_BOXES)
    assert first["x"] < second["x"]
    assert first["width"] > second["width"]
    assert first["label"].startswith("Face 1 ")
    browser.find_element("id", "stop").click()
    assert not browser.execute_script(
        "return document.getElementById('video').srcObject"
    )


def test_camera_moves_its_boxes_and_draws_the_last_seconds(browser, service):
    visit(browser, service)
    browser.find_element("id", "camera").click()
    wait(browser, "return document.querySelectorAll('#live-boxes .box').length === 2")
    browser.execute_script("window.before = document.querySelector('#live-boxes .box')")
    words = wait(browser, "return document.getElementById('strip-words').textContent")
    assert words.startswith("Last 30 seconds: ")
    # A box that is moved is eased, a new one jumps.
    sent = "performance.getEntriesByType('resource').filter((e) => e.name.includes("
    wait(browser, f"return {sent}'near=')).length >= 3")
    assert browser.execute_script("return window.before.isConnected")
    wait(
        browser,
        "const canvas = document.getElementById('strip');"
        "const { data } = canvas.getContext('2d').getImageData(0, 50, 300, 1);"
        "return data.some((value) => value > 0)",
    )
    browser.find_element("id", "stop").click()


def test_camera_without_a_face(browser, pipe):
    with serving(pipe, detect=lambda image: []) as client:
        visit(browser, client)
        browser.find_element("id", "camera").click()
        wait(browser, "return document.querySelector('#live-cards .nobody')")
        assert texts(browser, "#live-cards") == ["No face was found."]
        browser.find_element("id", "whole").click()
        wait(browser, "return document.querySelector('#live-cards .card')")
        browser.find_element("id", "whole").click()
        wait(browser, "return document.querySelector('#live-cards .nobody')")
        browser.find_element("id", "stop").click()


def test_facts_of_the_model(browser, service):
    visit(browser, service)
    browser.find_element("css selector", "#about summary").click()
    assert texts(browser, "#model-name") == ["stand-in"]
    facts = browser.find_element("id", "facts").text.splitlines()
    assert facts[:2] == ["accuracy", "0.713"]
    assert facts[-1].startswith("angry, disgust, fear")
    assert "recall" not in facts
    assert not browser.find_elements("css selector", "#about a")


def test_about_a_trained_model_is_short(browser, pipe):
    card = describe("compact")
    browser.get_log("browser")  # what earlier tests provoked
    with serving(pipe, detect=None, name="compact", card=card) as client:
        with screen(browser, 360):
            visit(browser, client)
            browser.execute_script(OPEN_ALL)
            about = browser.find_element("id", "about")
            facts = browser.find_element("id", "facts").text.splitlines()
            assert f"{card['parameters']:,}" in facts
            assert card["accuracy"] in facts
            assert not set("|#*") & set(about.text)
            assert about.rect["height"] < 400
            assert_no_sideways_scroll(browser)
            about.find_element("css selector", "a").click()
            assert texts(browser, "h1") == ["compact"]
            assert len(texts(browser, "table")) == 3
            assert_no_sideways_scroll(browser)
            browser.find_element("link text", "Back").click()
            wait(browser, READY)
    problems = [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert problems == []


def assert_no_sideways_scroll(browser):
    width, visible = browser.execute_script(WIDTHS)
    assert width <= visible


@contextmanager
def screen(browser, width, dark=False):
    """A screen of this width; up to 500 pixels it is a phone's."""
    phone = width <= 500
    size = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": phone}
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_phone(browser, service, pictures, dark):
    with screen(browser, 360, dark):
        visit(browser, service)
        drop(browser, pictures[0], "a-very-long-name-" * 9 + ".png")
        wait(browser, STATUS)
        browser.execute_script(OPEN_ALL)
        assert_no_sideways_scroll(browser)
        for button in browser.find_elements("css selector", ".buttons button"):
            if button.is_displayed():
                assert button.rect["height"] >= 44
        paper = "return getComputedStyle(document.body).backgroundColor"
        is_dark = browser.execute_script(paper) == "rgb(19, 20, 23)"
        assert is_dark == dark


def test_token_is_asked_for_and_kept(browser, pipe, pictures):
    with serving(pipe, detect=None, token="sésame, ouvre-toi") as client:
        browser.get(str(client.base_url))
        dialog = "return document.getElementById('token-dialog').open"
        for attempt in ("wrong", "sésame, ouvre-toi"):
            wait(browser, dialog)
            browser.find_element("id", "token").send_keys(attempt, "\n")
        wait(browser, READY)
        drop(browser, pictures[0], "a.png")
        assert wait(browser, STATUS).startswith("1 face: ")
        browser.refresh()
        wait(browser, READY)
        assert not browser.execute_script(dialog)
        drop(browser, pictures[0], "a.png")
        assert wait(browser, STATUS).startswith("1 face: ")
        assert "does not detect faces" in texts(browser, ".note")[0]
