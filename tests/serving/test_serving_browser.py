"""The page in a real Chromium: drop a drawn face, read the emotion."""

import base64
import shutil
import time

import numpy as np
import pytest
from PIL import Image
from serving_helpers import encode, serving

from fer_sklearn.datasets import EMOTIONS

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
FOCUSED = "return document.activeElement.id"


def detect(image):
    """Two faces side by side, wherever a picture is wider than high."""
    height, width = image.shape[:2]
    return [[0, 0, height, height], [width - height, 0, height, height]]


@pytest.fixture(scope="module")
def service(pipe):
    options = {"name": "stand-in", "card": {"accuracy": 0.71, "recall": {"sad": 0.5}}}
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
    sure = f"{100 * expected.max():.0f} %"
    assert wait(browser, STATUS) == f"1 face: {emotion}, {sure}."
    assert texts(browser, ".card .word") == [emotion.capitalize()]
    labels = [label.lower() for label in texts(browser, ".bars .label")]
    assert labels == list(EMOTIONS)
    shown = [int(value.split()[0]) for value in texts(browser, ".bars .value")]
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
    for box, x in [(left, 0), (right, 156)]:
        assert box["x"] - stage["x"] == pytest.approx(x * scale, abs=2)
        assert box["width"] == pytest.approx(96 * scale, abs=2)
    browser.find_elements("css selector", ".box")[1].click()
    assert browser.execute_script(FOCUSED) == "picture-0-face-1"


def test_large_photo_is_sent_smaller(browser, service, pictures):
    large = np.tile(pictures[0], (50, 60))
    visit(browser, service)
    drop(browser, large, "large.png")
    wait(browser, STATUS)
    (caption,) = texts(browser, "figcaption")
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
    for _ in range(6):
        active = browser.switch_to.active_element
        active.send_keys(Keys.TAB)
        seen.append(browser.execute_script(FOCUSED))
    assert [id for id in seen if id] == ["choose", "camera", "cropped"]
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
    assert len(texts(browser, "#live-cards .card .word")) == 2
    # Chromium's fake camera looks at the user: the picture is mirrored, and so are
    # the boxes, of which the first one lies at the left of the camera's picture.
    first, second = browser.find_elements("css selector", "#live-boxes .box")
    assert first.rect["x"] > second.rect["x"]
    browser.find_element("id", "stop").click()
    assert not browser.execute_script(
        "return document.getElementById('video').srcObject"
    )


def test_card_is_shown(browser, service):
    visit(browser, service)
    browser.find_element("css selector", "#about summary").click()
    assert texts(browser, "#model-name") == ["stand-in"]
    facts = browser.find_element("id", "card").text
    assert "0.71" in facts
    assert "angry, disgust, fear" in facts


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_phone(browser, service, pictures, dark):
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    try:
        visit(browser, service)
        drop(browser, pictures[0], "a-very-long-name-" * 9 + ".png")
        wait(browser, STATUS)
        width, visible = browser.execute_script(WIDTHS)
        assert width <= visible
        for button in browser.find_elements("css selector", ".buttons button"):
            if button.is_displayed():
                assert button.rect["height"] >= 44
        paper = "return getComputedStyle(document.body).backgroundColor"
        is_dark = browser.execute_script(paper) == "rgb(19, 20, 23)"
        assert is_dark == dark
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


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
        assert "Faces are not searched for" in texts(browser, ".note")[0]
