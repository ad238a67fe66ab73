"""Fetching files and data sets from a server on this machine that misbehaves on demand."""

import hashlib
import io
import json
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from reloc.errors import DownloadError, OptionError, OutputError
from reloc.scenes import open_scene
from reloc.scenes.archives import Limits
from reloc.scenes.datasets import DATASETS, Addresses, Dataset, dataset
from reloc.scenes.download import download_scenes
from reloc.scenes.fetch import RetryPolicy, fetch

HURRY = RetryPolicy(timeout=5.0, retries=2, pause=0.0)
BODY = np.random.default_rng(0).bytes(3 << 20)


@dataclass
class Server:
    """What the server holds and how it fails; requests are ``(path, Range header)``."""

    files: dict[str, bytes] = field(default_factory=dict)
    content_type: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    cuts: int = 0  # how many answers end half way
    failures: list[int] = field(default_factory=list)  # statuses of the first answers
    honours_range: bool = True
    tells_length: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    base: str = ""
    awake: threading.Event = field(default_factory=threading.Event)  # ends answers of /stall


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.requests.append((self.path, wanted))
            if state.failures:
                self.send_error(state.failures.pop(0))
                return
            if self.path == "/redirect-to-file":
                self.send_response(302)
                self.send_header("Location", "file:///etc/passwd")
                self.end_headers()
                return
            if self.path == "/stall":
                state.awake.wait(10)
                return
            body = state.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            start = 0
            same = self.headers.get("If-Range") in state.headers.values()
            if wanted and state.honours_range and same:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            self.send_header("Content-Type", state.content_type)
            if state.tells_length:
                self.send_header("Content-Length", str(len(body) - start))
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            rest = body[start:]
            if state.cuts:
                state.cuts -= 1
                rest = rest[: len(rest) // 2]
            self.wfile.write(rest)

        def log_message(self, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    state.base = f"http://127.0.0.1:{http.server_port}"
    yield state
    state.awake.set()
    http.shutdown()
    http.server_close()
    thread.join()


def test_a_file_arrives_with_size_and_checksum(tmp_path, server):
    server.files["/a.zip"] = BODY
    seen = []
    fetched = fetch(
        f"{server.base}/a.zip", tmp_path / "a.zip", progress=lambda *args, **_: seen.append(args)
    )
    assert (tmp_path / "a.zip").read_bytes() == BODY
    assert (fetched.size, fetched.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert seen[-1] == ("download", 3, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("headers", [{"ETag": '"one"'}, {"Last-Modified": "Mon, 1 Jan 2024"}])
def test_a_cut_connection_is_continued(tmp_path, server, headers):
    server.files["/a.zip"], server.cuts, server.headers = BODY, 2, headers
    fetch(f"{server.base}/a.zip", tmp_path / "a.zip", retry_policy=HURRY)
    assert (tmp_path / "a.zip").read_bytes() == BODY
    half = len(BODY) // 2
    assert [wanted for _, wanted in server.requests] == [
        None,
        f"bytes={half}-",
        f"bytes={half + (len(BODY) - half) // 2}-",
    ]


def test_a_later_call_continues_what_an_earlier_one_left(tmp_path, server):
    server.files["/a.zip"], server.cuts = BODY, 3
    with pytest.raises(
        DownloadError, match=r"gave up after 3 attempts.*run the same command again"
    ):
        fetch(f"{server.base}/a.zip", tmp_path / "a.zip", retry_policy=HURRY)
    assert not (tmp_path / "a.zip").exists()
    before = len(server.requests)
    fetch(f"{server.base}/a.zip", tmp_path / "a.zip", retry_policy=HURRY)
    assert (tmp_path / "a.zip").read_bytes() == BODY
    assert [bool(wanted) for _, wanted in server.requests[before:]] == [True]


def test_a_file_that_changed_meanwhile_starts_again(tmp_path, server):
    server.files["/a.zip"], server.cuts = BODY, 3
    with pytest.raises(DownloadError):
        fetch(f"{server.base}/a.zip", tmp_path / "a.zip", retry_policy=HURRY)
    server.files["/a.zip"], server.headers = BODY[::-1], {"ETag": '"two"'}
    fetch(f"{server.base}/a.zip", tmp_path / "a.zip", retry_policy=HURRY)
    assert (tmp_path / "a.zip").read_bytes() == BODY[::-1]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}, {"ETag": '"one"'}])
def test_a_server_without_ranges_starts_again(tmp_path, server, headers):
    server.files["/a.zip"], server.cuts, server.headers = BODY, 1, headers
    server.honours_range = False
    fetch(f"{server.base}/a.zip", tmp_path / "a.zip", retry_policy=HURRY)
    assert (tmp_path / "a.zip").read_bytes() == BODY
    assert bool(server.requests[1][1]) == (headers == {"ETag": '"one"'})


def test_another_address_does_not_continue_a_file(tmp_path, server):
    server.files |= {"/a.zip": BODY, "/b.zip": BODY[::-1]}
    server.cuts = 3
    with pytest.raises(DownloadError):
        fetch(f"{server.base}/a.zip", tmp_path / "x.zip", retry_policy=HURRY)
    fetch(f"{server.base}/b.zip", tmp_path / "x.zip", retry_policy=HURRY)
    assert (tmp_path / "x.zip").read_bytes() == BODY[::-1]


def test_a_partial_file_that_is_whole_is_taken(tmp_path, server):
    server.files["/a.zip"] = BODY
    url = f"{server.base}/a.zip"
    (tmp_path / "a.zip.part").write_bytes(BODY)
    (tmp_path / "a.zip.part.json").write_text(json.dumps({"url": url, "validator": '"one"'}))
    fetch(url, tmp_path / "a.zip", retry_policy=HURRY)
    assert (tmp_path / "a.zip").read_bytes() == BODY
    assert len(server.requests) == 1


def test_a_partial_file_that_is_too_long_starts_again(tmp_path, server):
    server.files["/a.zip"] = BODY
    url = f"{server.base}/a.zip"
    (tmp_path / "a.zip.part").write_bytes(BODY + b"more")
    (tmp_path / "a.zip.part.json").write_text(json.dumps({"url": url, "validator": '"one"'}))
    fetch(url, tmp_path / "a.zip", retry_policy=HURRY)
    assert (tmp_path / "a.zip").read_bytes() == BODY


@pytest.mark.parametrize("about", ["", "[]", "{}", '{"url": 1}', "\xff", "[" * 100_000])
def test_a_damaged_note_beside_a_partial_file_starts_again(tmp_path, server, about):
    server.files["/a.zip"] = BODY
    (tmp_path / "a.zip.part").write_bytes(b"rubbish")
    (tmp_path / "a.zip.part.json").write_text(about, encoding="latin-1")
    fetch(f"{server.base}/a.zip", tmp_path / "a.zip", retry_policy=HURRY)
    assert (tmp_path / "a.zip").read_bytes() == BODY


def test_passing_failures_are_retried_and_lasting_ones_not(tmp_path, server):
    server.files["/a.zip"], server.failures = BODY, [503, 429]
    fetch(f"{server.base}/a.zip", tmp_path / "a.zip", retry_policy=HURRY)
    assert len(server.requests) == 3
    with pytest.raises(DownloadError, match=r"answers 404.*may have moved"):
        fetch(f"{server.base}/gone.zip", tmp_path / "b.zip", retry_policy=HURRY)
    assert len(server.requests) == 4
    server.failures = [500] * 9
    with pytest.raises(DownloadError, match="gave up after 3 attempts"):
        fetch(f"{server.base}/a.zip", tmp_path / "b.zip", retry_policy=HURRY)


def test_nobody_at_the_address_is_an_error_after_a_few_attempts(tmp_path):
    with pytest.raises(DownloadError, match="gave up after 3 attempts"):
        fetch("http://127.0.0.1:9/a.zip", tmp_path / "a.zip", retry_policy=HURRY)


def test_a_server_that_falls_silent_is_given_up(tmp_path, server):
    silent = RetryPolicy(timeout=0.1, retries=1, pause=0.0)
    with pytest.raises(DownloadError, match=r"gave up after 2 attempts \(timed out\)"):
        fetch(f"{server.base}/stall", tmp_path / "a.zip", retry_policy=silent)


def test_a_web_page_in_place_of_a_file_is_refused(tmp_path, server):
    server.files["/a.zip"], server.content_type = b"<html>sorry</html>", "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="a web page, not a file"):
        fetch(f"{server.base}/a.zip", tmp_path / "a.zip", retry_policy=HURRY)
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("tells_length", [True, False])
def test_files_over_the_limit_are_refused(tmp_path, server, tells_length):
    server.files["/a.zip"], server.tells_length = BODY, tells_length
    with pytest.raises(DownloadError, match="limit"):
        fetch(f"{server.base}/a.zip", tmp_path / "a.zip", retry_policy=HURRY, max_bytes=1000)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a.zip", "data:,x", "a.zip"])
def test_only_web_addresses_are_fetched(tmp_path, url):
    with pytest.raises(OptionError, match="only http and https"):
        fetch(url, tmp_path / "a.zip")


def test_a_redirect_to_a_file_is_not_followed(tmp_path, server):
    with pytest.raises(DownloadError):
        fetch(f"{server.base}/redirect-to-file", tmp_path / "a.zip", retry_policy=HURRY)
    assert not list(tmp_path.glob("a.zip"))


# Small archives of the same layout as the public ones.


def png(*, height: int = 48, depth: bool = False) -> bytes:
    shape = (height, 64)
    pixels = np.full(shape, 1500, np.uint16) if depth else np.zeros((*shape, 3), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def pose_text(x: float) -> bytes:
    return f"1 0 0 {x}\n0 1 0 0\n0 0 1 0\n0 0 0 1\n".encode()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def frames(prefix: str, count: int = 2) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for number in range(count):
        stem = f"{prefix}frame-{number:06d}"
        files |= {f"{stem}.color.png": png(), f"{stem}.depth.png": png(depth=True)}
        files[f"{stem}.pose.txt"] = pose_text(number)
    return files


def seven_scenes(scene: str) -> bytes:
    return zipped(
        {
            f"{scene}/seq-01.zip": zipped(frames("seq-01/")),
            f"{scene}/seq-02.zip": zipped(frames("seq-02/")),
            f"{scene}/TrainSplit.txt": b"sequence1\n",
            f"{scene}/TestSplit.txt": b"sequence2\n",
        }
    )


def twelve_scenes(place: str, rooms: tuple[str, ...]) -> bytes:
    info = "".join(
        f"m_{kind}Width = 64\nm_{kind}Height = 48\nm_calibration{kind}Intrinsic = 60 0 32 0 "
        "0 60 24 0 0 0 1 0 0 0 0 1\n"
        for kind in ("color", "depth")
    ).replace("m_calibrationcolor", "m_calibrationColor")
    info = info.replace("m_calibrationdepth", "m_calibrationDepth") + "m_depthShift = 1000\n"
    files: dict[str, bytes] = {}
    for room in rooms:
        files |= {f"{place}/{room}/{name}": data for name, data in frames("data/", 4).items()}
        files[f"{place}/{room}/info.txt"] = info.encode()
        files[f"{place}/{room}/split.txt"] = (
            b"sequence0 [frames=2] [start=0 ; end=1]\nsequence1 [frames=2] [start=2 ; end=3]\n"
        )
    return zipped(files)


def cambridge(scene: str) -> bytes:
    header = b"Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"
    return zipped(
        {
            f"{scene}/dataset_train.txt": header + b"seq1/frame00001.png 1 2 3 1 0 0 0\n",
            f"{scene}/dataset_test.txt": header + b"seq2/frame00001.png 1 2 4 1 0 0 0\n",
            f"{scene}/seq1/frame00001.png": png(height=36),
            f"{scene}/seq2/frame00001.png": png(height=36),
            f"{scene}/reconstruction.nvm": (
                b"NVM_V3\n\n2\nseq1/frame00001.jpg\t60 1 0 0 0 1 2 3 0 0\n"
                b"seq2/frame00001.jpg\t60 1 0 0 0 1 2 4 0 0\n\n0\n"
            ),
        }
    )


def wayspots(scenes: tuple[str, ...], *, link: bool = False) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        for scene in scenes:
            for split in ("train", "test"):
                for kind, name, content in (
                    ("rgb", "a.png", png()),
                    ("poses", "a.txt", pose_text(1)),
                    ("calibration", "a.txt", b"60"),
                ):
                    member = tarfile.TarInfo(f"wayspots_{scene}/{split}/{kind}/{name}")
                    member.size = len(content)
                    opened.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo("wayspots_bears/train/rgb/link.png")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            opened.addfile(member)
    return buffer.getvalue()


def pose_lines(names: list[str]) -> bytes:
    return "".join(f"{name} 1 0 0 0 0.5 0 0 61.5\n" for name in names).encode()


def local(name: str, server: Server) -> Dataset:
    return dataset(
        name, Addresses(*(f"{server.base}/{part}" for part in ("7", "12", "c", "w", "sfm")))
    )


@pytest.fixture
def chess(server: Server) -> Server:
    server.files["/7/chess.zip"] = seven_scenes("chess")
    for split, folder in (("train", "seq-01"), ("test", "seq-02")):
        names = [f"{folder}/frame-00000{number}.color.png" for number in (1, 0)]
        server.files[f"/sfm/7scenes/chess_{split}.txt"] = pose_lines(names)
    return server


def test_7scenes_come_with_both_pose_sets(tmp_path, chess):
    seven = local("7scenes", chess)
    result = download_scenes(seven, tmp_path / "7scenes", scene="Chess", retry_policy=HURRY)
    assert result.scenes == (tmp_path / "7scenes" / "chess",)
    assert not result.notes
    scene = open_scene(result.scenes[0])
    assert (scene.layout, len(scene.mapping), len(scene.queries)) == ("7scenes", 2, 2)
    sfm = open_scene(result.scenes[0], poses=Path("poses_sfm.txt"))
    assert (len(sfm.mapping), len(sfm.queries)) == (2, 2)
    assert sfm.mapping[0].camera.focal == pytest.approx(61.5)
    np.testing.assert_allclose(sfm.mapping[0].world_from_cam[:3, 3], (-0.5, 0, 0))
    assert sorted(path.name for path in (tmp_path / "7scenes").iterdir()) == [
        "chess",
        "downloads.json",
    ]


def test_a_second_run_fetches_nothing(tmp_path, chess):
    seven = local("7scenes", chess)
    first = download_scenes(seven, tmp_path, scene="chess", retry_policy=HURRY)
    before = len(chess.requests)
    assert download_scenes(seven, tmp_path, scene="chess", retry_policy=HURRY) == first
    assert len(chess.requests) == before
    manifest = json.loads((tmp_path / "downloads.json").read_text())
    entry = manifest[f"{chess.base}/7/chess.zip"]
    assert entry["sha256"] == hashlib.sha256(chess.files["/7/chess.zip"]).hexdigest()


def test_an_archive_that_changed_since_is_mentioned(tmp_path, chess):
    seven = local("7scenes", chess)
    (folder,) = download_scenes(seven, tmp_path, scene="chess", retry_policy=HURRY).scenes
    folder.rename(tmp_path / "old")
    chess.files["/7/chess.zip"] = seven_scenes("Chess")
    (note,) = download_scenes(seven, tmp_path, scene="chess", retry_policy=HURRY).notes
    assert "has changed since" in note


def test_a_cut_download_of_a_scene_goes_on(tmp_path, chess):
    seven = local("7scenes", chess)
    chess.cuts = 3
    with pytest.raises(DownloadError, match="run the same command again"):
        download_scenes(seven, tmp_path, scene="chess", retry_policy=HURRY)
    (folder,) = download_scenes(seven, tmp_path, scene="chess", retry_policy=HURRY).scenes
    assert re.fullmatch(r"bytes=\d+-", chess.requests[3][1])
    assert len(open_scene(folder).mapping) == 2


def test_a_scene_stays_without_its_second_pose_set_until_that_can_be_fetched(tmp_path, chess):
    seven = local("7scenes", chess)
    test_poses = chess.files.pop("/sfm/7scenes/chess_test.txt")
    (note,) = download_scenes(seven, tmp_path, scene="chess", retry_policy=HURRY).notes
    assert "chess has its own poses only" in note
    assert "404" in note
    assert len(open_scene(tmp_path / "chess").mapping) == 2
    assert not list((tmp_path / "chess").glob("*poses*"))
    chess.files["/sfm/7scenes/chess_test.txt"] = test_poses
    assert not download_scenes(seven, tmp_path, scene="chess", retry_policy=HURRY).notes
    assert (tmp_path / "chess" / "poses_sfm.txt").exists()


@pytest.mark.parametrize("poses", [b"a b c\n", b"a.png 1 0 0 0 nan 0 0 500\n", b"\n"])
def test_a_pose_set_of_another_form_is_not_taken(tmp_path, chess, poses):
    chess.files["/sfm/7scenes/chess_test.txt"] = poses
    (note,) = download_scenes(
        local("7scenes", chess), tmp_path, scene="chess", retry_policy=HURRY
    ).notes
    assert "pose set" in note
    assert not (tmp_path / "chess" / "poses_sfm.txt").exists()


def test_12scenes_come_with_all_rooms_of_a_place(tmp_path, server):
    server.files["/12/office2.zip"] = twelve_scenes("office2", ("5a", "5b"))
    for room in ("5a", "5b"):
        for split, numbers in (("train", (2, 3)), ("test", (0, 1))):
            names = [f"data/frame-00000{number}.color.jpg" for number in numbers]
            server.files[f"/sfm/12scenes/office2_{room}_{split}.txt"] = pose_lines(names)
    result = download_scenes(local("12scenes", server), tmp_path, scene="office2_5b")
    assert [path.name for path in result.scenes] == ["office2_5a", "office2_5b"]
    for folder in result.scenes:
        scene = open_scene(folder)
        assert (scene.layout, len(scene.mapping), len(scene.queries)) == ("12scenes", 2, 2)
        assert len(open_scene(folder, poses=Path("poses_sfm.txt")).queries) == 2


def test_a_missing_room_is_brought_back_and_the_others_left_alone(tmp_path, server):
    server.files["/12/office2.zip"] = twelve_scenes("office2", ("5a", "5b"))
    twelve = local("12scenes", server)
    download_scenes(twelve, tmp_path, scene="office2_5a", retry_policy=HURRY)
    (tmp_path / "office2_5a" / "mine.txt").write_text("keep")
    (tmp_path / "office2_5b").rename(tmp_path / "away")
    download_scenes(twelve, tmp_path, scene="office2_5b", retry_policy=HURRY)
    assert (tmp_path / "office2_5a" / "mine.txt").exists()
    assert (tmp_path / "office2_5b" / "info.txt").exists()


def test_cambridge(tmp_path, server):
    server.files["/c/251336/ShopFacade.zip"] = cambridge("ShopFacade")
    result = download_scenes(local("cambridge", server), tmp_path, scene="shopfacade")
    scene = open_scene(result.scenes[0])
    assert (scene.layout, len(scene.mapping), len(scene.queries)) == ("cambridge", 1, 1)
    assert not (result.scenes[0] / "poses_sfm.txt").exists()


def test_wayspots_come_all_at_once(tmp_path, server):
    ways = local("wayspots", server)
    server.files["/w/wayspots.tar.gz"] = wayspots(ways.scenes)
    result = download_scenes(ways, tmp_path, scene="bears")
    assert [path.name for path in result.scenes] == list(ways.scenes)
    scene = open_scene(tmp_path / "bears")
    assert (scene.layout, len(scene.mapping), len(scene.queries)) == ("ace", 1, 1)


def test_whole_data_sets_fetch_every_archive(tmp_path, server):
    scenes = local("cambridge", server)
    for archive in scenes.archives:
        server.files[archive.url.removeprefix(server.base)] = cambridge(archive.scenes[0])
    result = download_scenes(scenes, tmp_path)
    assert [path.name for path in result.scenes] == list(scenes.scenes)


def test_hostile_archives_leave_no_scene_and_no_archive(tmp_path, server):
    ways = local("wayspots", server)
    server.files["/w/wayspots.tar.gz"] = wayspots(ways.scenes, link=True)
    with pytest.raises(DownloadError, match="is a link"):
        download_scenes(ways, tmp_path)
    assert not list(tmp_path.iterdir())


def test_archives_cut_short_on_the_server_are_fetched_anew(tmp_path, chess):
    whole = chess.files["/7/chess.zip"]
    chess.files["/7/chess.zip"] = whole[:-100]
    seven = local("7scenes", chess)
    with pytest.raises(DownloadError, match="damaged or cut short"):
        download_scenes(seven, tmp_path, scene="chess", retry_policy=HURRY)
    chess.files["/7/chess.zip"] = whole
    assert download_scenes(seven, tmp_path, scene="chess", retry_policy=HURRY).scenes


def test_an_archive_without_the_scene_is_named(tmp_path, chess):
    chess.files["/7/chess.zip"] = zipped({"readme.txt": b"moved"})
    with pytest.raises(DownloadError, match="does not hold chess"):
        download_scenes(local("7scenes", chess), tmp_path, scene="chess", retry_policy=HURRY)


def test_limits_reach_the_unpacking(tmp_path, chess):
    with pytest.raises(DownloadError, match="more than 3 entries"):
        download_scenes(local("7scenes", chess), tmp_path, scene="chess", limits=Limits(entries=3))


def test_an_archive_that_lies_there_is_used(tmp_path, chess):
    (tmp_path / "chess.zip").write_bytes(chess.files.pop("/7/chess.zip"))
    download_scenes(local("7scenes", chess), tmp_path, scene="chess", retry_policy=HURRY)
    assert (tmp_path / "chess" / "seq-01").is_dir()
    assert not (tmp_path / "chess.zip").exists()


def test_a_folder_that_is_no_scene_is_left_alone(tmp_path, chess):
    (tmp_path / "chess").mkdir()
    (tmp_path / "chess" / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="move it away"):
        download_scenes(local("7scenes", chess), tmp_path, scene="chess")
    assert not chess.requests


def test_scenes_and_data_sets_that_do_not_exist_are_refused_with_the_choice(tmp_path):
    with pytest.raises(OptionError, match="its scenes are chess, fire"):
        download_scenes(dataset("7scenes"), tmp_path, scene="kitchen")
    with pytest.raises(OptionError, match="known are 7scenes"):
        dataset("8scenes")


@pytest.mark.parametrize(
    ("name", "archives", "scenes"),
    [("7scenes", 7, 7), ("12scenes", 4, 12), ("cambridge", 5, 5), ("wayspots", 1, 10)],
)
def test_the_public_addresses_are_complete(name, archives, scenes):
    public = dataset(name)
    assert name in DATASETS
    assert (len(public.archives), len(set(public.scenes))) == (archives, scenes)
    assert all(archive.url.startswith("https://") for archive in public.archives)
    assert len({archive.url for archive in public.archives}) == archives
    assert (public.sfm_poses is not None) == (name in ("7scenes", "12scenes"))
    assert public.licence
    assert public.page.startswith("https://")
