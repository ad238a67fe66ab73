"""Writers of what other programs and data sets have: from a walk to the files of the layout."""

import json

import cv2
import numpy as np

from reloc.geometry import Camera, inverted
from tests.scenes.layouts.walks import FLIP, Array, Files, Walk, lines, words, wxyz

# From the body of a rig to its cameras; rotated and moved, so that no direction is like the other.
CAM_FROM_BODY = np.eye(4)
CAM_FROM_BODY[:3, :3] = cv2.Rodrigues(np.array([0.3, -0.5, 1.2]))[0]
CAM_FROM_BODY[:3, 3] = (0.05, -0.1, 0.02)


def _row(pose: Array) -> list[float]:
    return [*wxyz(pose), *(float(value) for value in pose[:3, 3])]


def kapture(walk: Walk, *, rig: bool = True, lamar: bool = False) -> Files:
    """kapture, or a session of LaMAR, whose poses all lead the other way."""
    camera = walk.camera
    seen = words([str(camera.width), str(camera.height), *camera.params], ", ")
    trajectory, records, files = [], [], {}
    for number in range(len(walk)):
        time = str(round(walk.times[number] * (1e6 if lamar else 10)))
        pose = walk.cam_from_world(number)
        if rig:
            pose = inverted(CAM_FROM_BODY) @ pose
        if lamar:
            pose = inverted(pose)
        trajectory.append(words([f"{time:>19}", "rig" if rig else "cam0", *_row(pose)], ", "))
        records.append(f"{time}, cam0, left/{number:04d}.jpg")
        folder = "raw_data" if lamar else "sensors/records_data"
        files[f"{folder}/left/{number:04d}.jpg"] = walk.image(number, ".jpg")
    sensor_from_rig = inverted(CAM_FROM_BODY) if lamar else CAM_FROM_BODY
    sensors = [f"cam0, a camera, camera, PINHOLE, {seen}", "gps, , gnss, EPSG:4326"]
    tables = {
        "sensors.txt": ("sensor_id, name, sensor_type, [sensor_params]+", sensors),
        "trajectories.txt": ("timestamp, device_id, qw, qx, qy, qz, tx, ty, tz", trajectory),
        "images.txt" if lamar else "records_camera.txt": ("timestamp, device_id, path", records),
    }
    if rig:
        row = words(["rig", "cam0", *_row(sensor_from_rig)], ", ")
        tables["rigs.txt"] = ("rig_id, sensor_id, qw, qx, qy, qz, tx, ty, tz", [row])
    for name, (heading, rows) in tables.items():
        content = "\n".join(["# kapture format: 1.1", f"# {heading}", *rows]) + "\n"
        files[name if lamar else f"sensors/{name}"] = content.encode()
    return files


def euroc(walk: Walk) -> Files:
    """EuRoC: the truth is that of the body at other times, for it comes at its own rate."""
    fx, fy, cx, cy = walk.camera.params
    body_from_cam = np.linalg.inv(CAM_FROM_BODY)
    numbers = ", ".join(repr(float(value)) for value in body_from_cam.ravel())
    sensor = f"""%YAML:1.0
sensor_type: camera
T_BS:
  cols: 4
  rows: 4
  data: [{numbers}]
rate_hz: 20
resolution: [{walk.camera.width}, {walk.camera.height}]
camera_model: pinhole
intrinsics: [{fx}, {fy}, {cx - 0.5}, {cy - 0.5}] #fu, fv, cu, cv
distortion_model: radial-tangential
distortion_coefficients: [0.0, 0.0, 0.0, 0.0]
"""
    columns = ["p_RS_R_x [m]", "p_RS_R_y [m]", "p_RS_R_z [m]"]
    columns += ["q_RS_w []", "q_RS_x []", "q_RS_y []", "q_RS_z []", "v_RS_R_x [m s^-1]"]
    truth = ["#timestamp, " + ", ".join(columns)]
    listed = ["#timestamp [ns],filename"]
    files = {}
    for number in range(len(walk)):
        time = 1403636579000000000 + round(walk.times[number] * 1e9)
        body = walk.poses[number] @ CAM_FROM_BODY
        # Twice, at both sides of the picture's time, 3 ms apart.
        for late in (-3_000_000, 3_000_000):
            row = [str(time + late), *body[:3, 3], *wxyz(body), 0.0]
            truth.append(words(row, ","))
        listed.append(f"{time},{time}.png")
        files[f"mav0/cam0/data/{time}.png"] = walk.image(number)
    return {
        "mav0/cam0/sensor.yaml": sensor.encode(),
        "mav0/cam0/data.csv": ("\r\n".join(listed) + "\r\n").encode(),
        "mav0/state_groundtruth_estimate0/data.csv": ("\n".join(truth) + "\n").encode(),
        **files,
    }


def opensfm(walk: Walk, *, others: int = 0) -> Files:
    """OpenSfM with a brown camera; focal lengths count in the longer side."""
    camera = walk.camera
    side = max(camera.width, camera.height)
    lens = {
        "projection_type": "brown",
        "width": camera.width,
        "height": camera.height,
        "focal_x": camera.fx / side,
        "focal_y": camera.fy / side,
        "c_x": (camera.cx - camera.width / 2) / side,
        "c_y": (camera.cy - camera.height / 2) / side,
        **dict.fromkeys(("k1", "k2", "k3", "p1", "p2"), 0.0),
    }
    shots, files = {}, {}
    for number in range(len(walk)):
        pose = walk.cam_from_world(number)
        shots[f"{number:04d}.jpg"] = {
            "rotation": cv2.Rodrigues(pose[:3, :3])[0].ravel().tolist(),
            "translation": pose[:3, 3].tolist(),
            "camera": "v2 a phone",
        }
        files[f"images/{number:04d}.jpg"] = walk.image(number, ".jpg")
    parts = [{"cameras": {"v2 a phone": lens}, "shots": shots, "points": {}}]
    if others:
        some = dict(list(shots.items())[:others])
        parts.insert(0, {"cameras": {"v2 a phone": lens}, "shots": some})
    return {"reconstruction.json": json.dumps(parts).encode(), **files}


def square(walk: Walk) -> Camera:
    """A camera that Bundler can tell: square pixels, the principal point in the middle."""
    return Camera("RADIAL", walk.camera.width, walk.camera.height, (80.0, 48.0, 36.0, 0.0, 0.0))


def bundler(walk: Walk) -> Files:
    """Bundler, whose camera looks along -z; the last image is not registered."""
    camera = square(walk)
    numbers: list[list[float]] = []
    names, files = [], {}
    for number in range(len(walk)):
        pose = FLIP @ walk.cam_from_world(number)
        names.append(f"./images/a {number:04d}.jpg 0 {camera.fx}")
        files[f"images/a {number:04d}.jpg"] = walk.image(number, ".jpg")
        numbers += [[camera.fx, 0, 0], *pose[:3, :3].tolist(), pose[:3, 3].tolist()]
    numbers += [[0, 0, 0]] * 5
    names.append("./images/lost.jpg")
    files["images/lost.jpg"] = walk.image(0, ".jpg")
    head = f"# Bundle file v0.3\n{len(names)} 0\n"
    return {
        "bundle.out": head.encode() + lines(numbers),
        "list.txt": ("\n".join(names) + "\n").encode(),
        **files,
    }


# Where the room lies in the world of a project: turned, moved and twice as large.
WORLD_FROM_ROOM = np.eye(4)
WORLD_FROM_ROOM[:3, :3] = 2 * cv2.Rodrigues(np.array([0.1, 0.7, -0.4]))[0]
WORLD_FROM_ROOM[:3, 3] = (500, -300, 20)


def metashape(walk: Walk) -> Files:
    """Metashape: labels without suffix, a component that leads to the world with a scale."""
    camera = walk.camera
    rotation = " ".join(repr(float(value)) for value in (WORLD_FROM_ROOM[:3, :3] / 2).ravel())
    translation = " ".join(repr(float(value)) for value in WORLD_FROM_ROOM[:3, 3])
    entries, files = [], {}
    for number in range(len(walk)):
        numbers = " ".join(repr(float(value)) for value in walk.poses[number].ravel())
        entries.append(
            f'<camera id="{number}" sensor_id="0" component_id="0" label="DSC_{number:04d}">'
            f"<transform>{numbers}</transform></camera>"
        )
        files[f"DSC_{number:04d}.JPG"] = walk.image(number, ".jpg")
    files["lost.JPG"] = walk.image(0, ".jpg")
    document = f"""<?xml version="1.0" encoding="UTF-8"?>
<document version="1.5.0"><chunk label="Chunk 1" enabled="true">
<sensors next_id="1"><sensor id="0" label="camera" type="frame">
<resolution width="{camera.width}" height="{camera.height}"/>
<calibration type="frame" class="initial"><resolution width="{camera.width}"
 height="{camera.height}"/><f>9</f></calibration>
<calibration type="frame" class="adjusted">
<resolution width="{camera.width}" height="{camera.height}"/>
<f>{camera.fy!r}</f><cx>{camera.cx - camera.width / 2!r}</cx>
<cy>{camera.cy - camera.height / 2!r}</cy><b1>{camera.fx - camera.fy!r}</b1><b2>0.0001</b2>
<k1>0</k1><k2>0</k2><k3>0</k3><p1>0</p1><p2>0</p2></calibration></sensor></sensors>
<components next_id="1"><component id="0"><transform><rotation locked="true">{rotation}</rotation>
<translation locked="true">{translation}</translation><scale locked="true">2</scale></transform>
</component></components>
<cameras next_id="9">{"".join(entries)}
<camera id="99" sensor_id="0" label="lost"/></cameras></chunk></document>"""
    return {"cameras.xml": document.encode(), **files}


def realitycapture(walk: Walk) -> Files:
    """RealityCapture: angles of a camera that looks down where they are 0."""
    camera = square(walk)
    scale = 36 / max(camera.width, camera.height)
    rows = ["#name,x,y,alt,heading,pitch,roll,f,px,py,k1,k2,k3,k4,t1,t2"]
    files = {}
    for number in range(len(walk)):
        pose = walk.opengl(number)
        r = pose[:3, :3]
        # R = Rz(-heading) Rx(pitch) Ry(roll), read off its entries.
        pitch, roll = np.arcsin(r[2, 1]), np.arctan2(-r[2, 0], r[2, 2])
        heading = np.arctan2(r[0, 1], r[1, 1])
        angles = np.degrees([heading, pitch, roll])
        lens = [camera.fx * scale, *[0.0] * 8]
        rows.append(words([f"IMG_{number:04d}.jpg", *pose[:3, 3], *angles, *lens], ","))
        files[f"IMG_{number:04d}.jpg"] = walk.image(number, ".jpg")
    return {"cameras.csv": ("\n".join(rows) + "\n").encode(), **files}


def blender(walk: Walk) -> Files:
    """NeRF-synthetic: an angle of view, names without suffix, pictures with transparency."""
    angle = 2 * np.arctan(0.5 * walk.camera.width / 80.0)
    parts: dict[str, list[dict[str, object]]] = {"train": [], "val": [], "test": []}
    files = {}
    for number in range(len(walk)):
        part = ("train", "train", "train", "train", "train", "train", "val", "test")[number]
        name = f"{part}/r_{number}"
        entry = {"file_path": f"./{name}", "rotation": 0.01}
        parts[part].append({**entry, "transform_matrix": walk.opengl(number).tolist()})
        pixels = np.dstack([walk.images[number][:, :, ::-1], np.full((72, 96), 255, np.uint8)])
        files[f"{name}.png"] = cv2.imencode(".png", pixels)[1].tobytes()
    for part, frames in parts.items():
        top = {"camera_angle_x": float(angle), "frames": frames}
        files[f"transforms_{part}.json"] = json.dumps(top).encode()
    return files
