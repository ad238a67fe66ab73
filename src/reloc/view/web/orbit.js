// Moving about: a turntable around a target, driven by mouse, touch and keyboard.
const HALF_ANGLE = Math.tan((25 * Math.PI) / 180); // of the shorter side of the free screen

class Orbit {
  constructor({ target, yaw, pitch, distance, radius }) {
    Object.assign(this, { target, yaw, pitch, distance, radius });
    this.home = { target, yaw, pitch, distance };
  }

  reset() {
    Object.assign(this, this.home);
  }

  get axes() {
    const [cosine, sine] = [Math.cos(this.pitch), Math.sin(this.pitch)];
    const forward = [cosine * Math.cos(this.yaw), cosine * Math.sin(this.yaw), -sine];
    const right = [Math.sin(this.yaw), -Math.cos(this.yaw), 0];
    return [right, cross(forward, right), forward];
  }

  // `free` is the part of the screen that nothing covers.
  view(size, free) {
    const focal = Math.min(free.width, free.height) / (2 * HALF_ANGLE);
    const axes = this.axes;
    return {
      eye: sub(this.target, times(axes[2], this.distance)),
      axes,
      window: windowOf(size, focal, focal, free.x + free.width / 2, free.y + free.height / 2),
    };
  }

  // Goes on from any view, around a point so far before it; what remains of its roll is dropped.
  follow(view, distance) {
    const forward = view.axes[2];
    this.yaw = Math.atan2(forward[1], forward[0]);
    this.pitch = clamp(-Math.asin(clamp(forward[2], -1, 1)), -1.56, 1.56);
    this.distance = distance;
    this.target = add(view.eye, times(forward, distance));
  }

  turn(right, down) {
    this.yaw -= right;
    this.pitch = clamp(this.pitch + down, -1.56, 1.56);
  }

  // Moves the target across the view, in shares of the free screen's shorter side.
  pan(right, down) {
    const scale = 2 * HALF_ANGLE * this.distance;
    const [x, y] = this.axes;
    this.target = add(this.target, add(times(x, right * scale), times(y, down * scale)));
  }

  // Walks over the floor, in shares of the distance.
  walk(ahead, right, up) {
    const over = [Math.cos(this.yaw), Math.sin(this.yaw), 0];
    const across = [Math.sin(this.yaw), -Math.cos(this.yaw), 0];
    const step = add(add(times(over, ahead), times(across, right)), [0, 0, up]);
    this.target = add(this.target, times(step, Math.max(this.distance, 0.05 * this.radius)));
  }

  // Nears the target by a factor; what is under (x, y), in units of the distance, stays there.
  zoom(factor, x = 0, y = 0) {
    const nearest = 0.003 * this.radius;
    const distance = clamp(this.distance * factor, nearest, 30 * this.radius);
    const moved = this.distance - distance;
    const [right, down] = this.axes;
    this.target = add(this.target, add(times(right, x * moved), times(down, y * moved)));
    // At the target there is nothing to near: go on through it, as one does in a room.
    if (this.distance * factor < nearest) {
      this.target = add(this.target, times(this.axes[2], 0.02 * this.radius));
    }
    this.distance = distance;
  }
}

// Turns pointers into calls of turn(right, down), pan(right, down), zoom(factor, x, y) in pixels,
// press(x, y, reach), double(x, y), hover(x, y) and leave().
function listenToPointers(canvas, act) {
  const pointers = new Map();
  let moved = 0;
  let panning = false;
  let lastTap = { time: -1e9, x: 0, y: 0 };

  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (!pointers.size) moved = 0;
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (pointers.size > 1) moved = 1e9; // two fingers are never a press
    panning = event.button > 0 || event.shiftKey || event.ctrlKey || event.metaKey;
  });
  canvas.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) {
      if (event.pointerType === "mouse") act.hover(event.clientX, event.clientY);
      return;
    }
    const now = [event.clientX, event.clientY];
    const [dx, dy] = [now[0] - last[0], now[1] - last[1]];
    moved += Math.abs(dx) + Math.abs(dy);
    if (moved < (event.pointerType === "mouse" ? 4 : 10)) return;
    if (pointers.size === 1) {
      (panning ? act.pan : act.turn)(dx, dy);
    } else {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = (a) => Math.max(20, Math.hypot(a[0] - other[0], a[1] - other[1]));
      act.pan(dx / 2, dy / 2);
      act.zoom(apart(last) / apart(now), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    }
    pointers.set(event.pointerId, now);
  });
  const released = (event) => {
    if (!pointers.delete(event.pointerId) || event.type === "pointercancel") return;
    const touch = event.pointerType !== "mouse";
    if (pointers.size || moved >= (touch ? 10 : 4) || event.button > 0) return;
    const { clientX: x, clientY: y, timeStamp: time } = event;
    const twice = time - lastTap.time < 350 && Math.hypot(x - lastTap.x, y - lastTap.y) < 25;
    lastTap = { time: twice ? -1e9 : time, x, y };
    if (twice) act.double(x, y);
    else act.press(x, y, touch ? 24 : 10);
  };
  canvas.addEventListener("pointerup", released);
  canvas.addEventListener("pointercancel", released);
  canvas.addEventListener("pointerleave", act.leave);
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1;
      // A pinch on a track pad comes as a wheel with the control key, in small steps.
      const step = clamp(event.deltaY * lines * (event.ctrlKey ? 6 : 1), -300, 300);
      act.zoom(Math.exp(step * 0.0014), event.clientX, event.clientY);
    },
    { passive: false },
  );
}
