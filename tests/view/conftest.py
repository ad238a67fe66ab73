"""A real browser without a window, driven through the DevTools protocol over a pair of pipes."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reloc.evaluation import evaluate
from reloc.geometry import Camera, look_at
from reloc.localize.estimate import Estimate
from reloc.reconstruct.point_cloud import PointCloud
from reloc.scenes.scene import Frame, Scene
from reloc.view.exhibit import Exhibit, exhibit

TIMEOUT = 90.0  # seconds; generous, since the machine may be busy and graphics are in software


class Browser:
    """Chromium with one page. Messages end with a zero byte, in both directions.

    Attributes:
        page: the one that was opened last.
        problems: errors and warnings of the page: exceptions, its console, requests refused.
    """

    def __init__(self, program: str, profile: Path, *, width: int = 1000, height: int = 700):
        inward, self._writer = os.pipe()
        self._reader, outward = os.pipe()

        def wire() -> None:
            # The browser reads from descriptor 3 and writes to 4. By way of high numbers, since
            # the ends of the pipes may have just these numbers themselves.
            for number, end in enumerate((inward, outward)):
                os.dup2(end, 200 + number)
            for number in (0, 1):
                os.dup2(200 + number, 3 + number)

        self._process = subprocess.Popen(
            [
                *(program, "--headless=new", "--no-sandbox", "--remote-debugging-pipe"),
                *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--hide-scrollbars"),
                *("--disable-dev-shm-usage", "--no-first-run", "--mute-audio"),
                *(f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"),
            ],
            preexec_fn=wire,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(inward)
        os.close(outward)
        self._pending = b""
        self._count = 0
        self.page: Path | None = None
        self.problems: list[str] = []
        self._events: list[str] = []
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def open(self, page: Path) -> None:
        """Opens a page and waits until it has loaded."""
        self.page = page
        self._events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        self._until(lambda: "Page.loadEventFired" in self._events)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + TIMEOUT
        while not self.run(script):
            assert time.monotonic() < end, f"still not true: {script}"
            time.sleep(0.05)

    def screenshot(self) -> np.ndarray:
        """What is seen, (H, W, 3) uint8 RGB."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        return np.ascontiguousarray(pixels[:, :, ::-1])

    def click(self, x: float, y: float) -> None:
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.mouse("mousePressed", *start)
        for share in (0.3, 0.6, 1.0):
            x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
            self.mouse("mouseMoved", x, y, buttons=1)
        self.mouse("mouseReleased", *end)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        button = "none" if kind == "mouseMoved" else "left"
        self.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1, **more
        )

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
        self.call("Input.dispatchTouchEvent", type=kind, touchPoints=places)

    def key(self, key: str, code: str, *, seconds: float = 0.0) -> None:
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=code, **text)
        time.sleep(seconds)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=code)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._call(method, parameters, session=self._session)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._writer)
        os.close(self._reader)

    def _call(
        self, method: str, parameters: dict[str, Any], *, session: str | None = None
    ) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        answers: list[dict[str, Any]] = []
        number = self._count
        self._until(lambda: bool(answers), number, answers)
        if "error" in answers[0]:
            raise AssertionError(f"{method}: {answers[0]['error']}")
        result: dict[str, Any] = answers[0]["result"]
        return result

    def _until(
        self,
        done: Callable[[], bool],
        number: int | None = None,
        answers: list[dict[str, Any]] | None = None,
    ) -> None:
        end = time.monotonic() + TIMEOUT
        while not done():
            ready, _, _ = select.select([self._reader], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self._reader, 1 << 20) if ready else b""
            assert data, "the browser does not answer"
            *messages, self._pending = (self._pending + data).split(b"\0")
            for message in map(json.loads, messages):
                if answers is not None and message.get("id") == number:
                    answers.append(message)
                else:
                    self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        method, content = message.get("method", ""), message.get("params", {})
        self._events.append(method)
        if method == "Runtime.exceptionThrown":
            self.problems.append(str(content["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and content["type"] in ("error", "warning"):
            self.problems.append(str(content["args"]))
        elif method == "Log.entryAdded" and content["entry"]["level"] in ("error", "warning"):
            self.problems.append(content["entry"]["text"])


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program; tests that need it skip where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if program := shutil.which(name):
            return program
    pytest.skip("there is no Chromium on this machine")


@pytest.fixture(scope="module")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of a file."""
    made = Browser(chromium, tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


class Gallery:
    """A small place: a coloured floor, mapping cameras in a ring around it, three queries."""

    camera = Camera("SIMPLE_RADIAL", 64, 48, (50.0, 32.0, 24.0, 0.05))
    names = ("near.jpg", "<img src=x onerror=alert(1)>.jpg", "lost.jpg")

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        floor = np.column_stack([rng.uniform(-2, 2, (4000, 2)), rng.normal(0, 0.005, 4000)])
        red = np.column_stack([rng.normal(0, 0.02, (400, 2)), np.full(400, 0.1)])
        points = np.concatenate([floor, red])
        colors = np.full((len(points), 3), (60, 140, 70), np.uint8)
        colors[len(floor) :] = (255, 0, 0)
        self.cloud = PointCloud(points, colors, np.zeros((len(points), 3), np.float32))
        poses = [look_at((3 * np.cos(a), 3 * np.sin(a), 1.5), (0, 0, 0.1)) for a in range(6)]
        self.mapping = [self._frame(folder, f"m{n}.jpg", pose) for n, pose in enumerate(poses)]
        truths = [
            look_at((3 * np.cos(a), 3 * np.sin(a), 2.2), (0, 0, 0.1)) for a in (0.5, 2.5, 4.5)
        ]
        self.queries = [
            self._frame(folder, name, pose) for name, pose in zip(self.names, truths, strict=True)
        ]
        near, far = (pose.copy() for pose in truths[:2])
        near[0, 3] += 0.02
        far[0, 3] += 0.4
        estimates = [
            Estimate(self.names[0], True, near, inliers=9),
            Estimate(self.names[1], True, far, inliers=5),
            Estimate(self.names[2], False, None, reason="too dark"),
        ]
        self.evaluation = evaluate(
            estimates, self.queries, scene_extent=6.0, map_bytes=4000, mapping_seconds=9.0,
            unit="metre", scene_name="hall", map_name="hall.safetensors",
        )  # fmt: skip
        self.scene = Scene("hall </script>", folder, "ace", tuple(self.mapping),
                           tuple(self.queries), unit="metre")  # fmt: skip

    def _frame(self, folder: Path, name: str, pose: np.ndarray) -> Frame:
        """Frames whose names hold no slash have a photo of one colour."""
        image = folder / name.replace("/", "_")
        assert cv2.imwrite(str(image), np.full((48, 64, 3), (200, 40, 90), np.uint8))
        return Frame(name, image, self.camera, pose)

    def shown(self) -> Exhibit:
        """With landmarks in a column above a corner, and one very far off."""
        shown = exhibit(cloud=self.cloud, scene=self.scene, evaluation=self.evaluation)
        column = [(1.8, 1.8, z) for z in np.linspace(0.3, 1.5, 30)]
        return replace(shown, landmarks=np.array([*column, (900.0, 0, 0)]))


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    return Gallery(tmp_path_factory.mktemp("gallery"))
