"""The page in a real browser: it loads, draws, and does what hands ask of it."""

import numpy as np
import pytest

from reloc.geometry import inverted, transformed
from reloc.view.viewer import write_viewer

pytestmark = pytest.mark.slow

SETTLED = "viewer.flight === null && !viewer.waiting"


@pytest.fixture(scope="module")
def page(browser, gallery, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "place.html"
    write_viewer(path, gallery.shown())
    browser.open(path)
    browser.wait_for(f"viewer !== null && viewer.view && {SETTLED}")
    return browser


@pytest.fixture(autouse=True)
def fresh(page):
    """Every test begins with the view and the choices of a page just opened."""
    page.run("viewer.endLook(); viewer.setTheme(true); viewer.orbit.reset(); viewer.redraw()")
    page.run("for (const id of ['least', 'most']) byId(id).value = id === 'most' ? 100 : 0")
    page.run("byId('panel').dispatchEvent(new Event('input'))")
    page.wait_for(SETTLED)
    yield
    assert page.problems == []


def clicked(page, name: str, kind: str) -> None:
    """Clicks on the eye of a camera."""
    place = page.run(
        f"(() => {{ const mark = viewer.marks.find((m) => m.frame.name === {name!r} && "
        f"m.kind === {kind!r}); const {{x, y}} = projected(viewer.view, viewer.size, mark.eye); "
        "return [x, y]; })()"
    )
    page.click(*place)
    page.wait_for(f"viewer.look.on && {SETTLED}")


def test_it_draws_the_points_in_their_colors(page):
    picture = page.screenshot().astype(int)
    greenish = (picture[..., 1] > picture[..., 0] + 25) & (picture[..., 1] > picture[..., 2] + 25)
    assert greenish.mean() > 0.03
    page.run("byId('show-points').click()")
    page.wait_for(SETTLED)
    without = page.screenshot().astype(int)
    page.run("byId('show-points').click()")
    assert (np.abs(picture - without).max(axis=2) > 40).mean() > 0.03


@pytest.mark.parametrize("dark", [True, False])
def test_landmarks_are_dots_that_can_be_switched_off(page, dark):
    page.run(f"viewer.setTheme({str(dark).lower()})")
    page.wait_for(SETTLED)
    color = page.run(f"LANDMARK.{'dark' if dark else 'light'}")
    swatch = page.run("getComputedStyle(byId('landmark-dot')).backgroundColor")
    assert swatch == f"rgb({', '.join(map(str, color))})"

    def dots():
        off = np.abs(page.screenshot()[:, :680].astype(int) - color).max(axis=2)
        return (off < 40).sum()

    with_landmarks = dots()
    page.key("m", "KeyM")
    page.wait_for(SETTLED)
    assert not page.run("byId('show-landmarks').checked")
    without = dots()
    page.key("m", "KeyM")
    # Thirty of four pixels each, of which a few hide others.
    assert 60 < with_landmarks - without <= 130
    assert "30 landmarks" in page.run("byId('facts').textContent")


def test_a_click_on_a_camera_shows_its_photo(page, gallery):
    clicked(page, "m2.jpg", "true")
    assert page.run("byId('look-name').textContent") == "m2.jpg"
    assert page.run("byId('photo').complete && byId('photo').naturalWidth") == 64
    page.run("byId('fade').value = 1; viewer.redraw()")
    page.wait_for(SETTLED)
    x, y, width, height = page.run(
        "(() => { const r = byId('photo').getBoundingClientRect(); "
        "return [r.x, r.y, r.width, r.height]; })()"
    )
    middle = page.screenshot()[int(y + height / 2), int(x + width / 2)]
    np.testing.assert_allclose(middle, (90, 40, 200), atol=8)


def test_photo_and_points_agree(page, gallery):
    """What the camera saw at a pixel is drawn over that pixel of the rectified photo."""
    frame = gallery.mapping[3]
    page.run(f"viewer.lookThrough(viewer.data.frames.find((f) => f.name === {frame.name!r}))")
    page.run("byId('fade').value = 0")
    page.wait_for(SETTLED)
    point = transformed(inverted(frame.world_from_cam), np.array([[0.0, 0.0, 0.1]]))[0]
    camera = frame.camera
    u = camera.cx + camera.fx * point[0] / point[2]
    v = camera.cy + camera.fy * point[1] / point[2]
    place = page.run(
        "(() => { const p = viewer.look.place(viewer.free); return [p.x, p.y, p.scale]; })()"
    )
    x, y = place[0] + u * place[2], place[1] + v * place[2]
    picture = page.screenshot().astype(int)
    red = np.argwhere((picture[..., 0] > 150) & (picture[..., 1] < 60) & (picture[..., 2] < 60))
    assert len(red) > 50
    np.testing.assert_allclose(np.median(red, axis=0), (y, x), atol=6)


def test_queries_are_listed_worst_first_and_filtered_by_error(page, gallery):
    names = "viewer.panel.rows.map((frame) => frame.name)"
    near, far, lost = gallery.names
    assert page.run(names) == [lost, far, near]
    page.run("byId('most').value = 50; byId('panel').dispatchEvent(new Event('input'))")
    assert page.run(names) == [lost, near]
    page.run("byId('show-lost').click()")
    assert page.run(names) == [near]
    drawn = page.run("viewer.marks.filter((m) => m.frame.query).map((m) => m.frame.name)")
    assert set(drawn) == {near}
    page.run("byId('show-lost').click()")
    assert page.run("byId('count').textContent") == "2 of 3 shown"


def test_an_estimate_can_be_changed_for_the_truth(page, gallery):
    page.run("viewer.lookThrough(viewer.panel.rows[1])")
    page.wait_for(SETTLED)
    estimate = page.run("viewer.view.eye")
    page.key("x", "KeyX")
    page.wait_for(SETTLED)
    assert np.linalg.norm(np.subtract(page.run("viewer.view.eye"), estimate)) == pytest.approx(0.4)
    page.key(".", "Period")
    assert page.run("viewer.look.frame.name") == gallery.names[0]
    page.key("Escape", "Escape")
    assert page.run("viewer.look.on") is False
    assert page.run("byId('photo').hidden && byId('look').hidden")


def test_names_are_text(page, gallery):
    assert page.run("document.querySelectorAll('#list img').length") == 0
    assert gallery.names[1] in page.run("byId('list').textContent")
    assert page.run("document.title") == "hall </script>"


def test_mouse_keys_and_touch_move_the_view(page):
    state = "[viewer.orbit.yaw, viewer.orbit.pitch, viewer.orbit.distance, ...viewer.orbit.target]"
    home = page.run(state)
    page.drag((300, 300), (400, 330))
    turned = page.run(state)
    assert turned[0] < home[0] and turned[1] > home[1]
    assert turned[2:] == home[2:]
    page.mouse("mouseWheel", 300, 300, deltaX=0, deltaY=-200)
    assert page.run("viewer.orbit.distance") < home[2]
    page.key("r", "KeyR")
    page.wait_for(SETTLED)
    assert page.run(state) == home
    page.key("ArrowLeft", "ArrowLeft", seconds=0.5)
    page.wait_for(SETTLED)
    assert page.run("viewer.orbit.yaw") != home[0]
    page.key("r", "KeyR")
    page.wait_for(SETTLED)
    page.touch("touchStart", (250, 300), (350, 300))
    for step in range(1, 6):
        page.touch("touchMove", (250 - 10 * step, 300), (350 + 10 * step, 300))
    page.touch("touchEnd")
    page.wait_for(f"viewer.orbit.distance < {0.7 * home[2]}")
    assert page.run("viewer.look.on") is False


def test_dark_and_light(page):
    dark = page.screenshot()[600, 100]
    page.run("byId('theme').click()")
    page.wait_for(SETTLED)
    light = page.screenshot()[600, 100]
    assert dark.max() < 60 and light.min() > 180


def test_a_narrow_screen_folds_the_panel(page):
    page.resize(390, 800)
    try:
        page.open(page.page)
        page.wait_for(f"viewer !== null && {SETTLED}")
        assert page.run("byId('panel').offsetWidth") == 0
        page.key("p", "KeyP")
        assert page.run("byId('panel').offsetWidth") > 300
        assert page.run("document.documentElement.scrollWidth") == 390
    finally:
        page.resize(1000, 700)
