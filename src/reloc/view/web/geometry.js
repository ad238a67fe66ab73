// Vectors, camera poses and views. World: z up. Camera axes as everywhere in reloc: x right, y down,
// z forward. A view is {eye, axes: [right, down, forward], window: [left, top, right, bottom]}, the
// window being what the screen shows of the plane z = 1 before the eye.
const add = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const sub = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const times = (a, s) => [a[0] * s, a[1] * s, a[2] * s];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
const norm = (a) => Math.sqrt(dot(a, a));
const unit = (a) => times(a, 1 / (norm(a) || 1));
const mix = (a, b, share) => a.map((value, i) => value + (b[i] - value) * share);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// Eye and axes of a pose, the first three rows of world_from_cam in a row.
const eyeOf = (p) => [p[3], p[7], p[11]];
const axesOf = (p) => [
  [p[0], p[4], p[8]],
  [p[1], p[5], p[9]],
  [p[2], p[6], p[10]],
];

// The window of a screen on which a pinhole with these focal lengths and centre, in pixels, draws.
const windowOf = (size, fx, fy, cx, cy) => [
  -cx / fx,
  -cy / fy,
  (size.width - cx) / fx,
  (size.height - cy) / fy,
];

// The matrix (column by column) that takes world points to clip space.
function clipFromWorld(view, near, far) {
  const [left, top, right, bottom] = view.window;
  const [x, y, z] = view.axes;
  const scaled = (axis, low, high, sign) =>
    axis.map((value, i) => (sign * (2 * value - (low + high) * z[i])) / (high - low));
  const deep = (far + near) / (far - near);
  const rows = [scaled(x, left, right, 1), scaled(y, top, bottom, -1), times(z, deep), z];
  const matrix = new Float32Array(16);
  rows.forEach((row, r) => {
    for (let c = 0; c < 3; c++) matrix[4 * c + r] = row[c];
    matrix[12 + r] = -dot(row, view.eye);
  });
  matrix[14] -= (2 * far * near) / (far - near);
  return matrix;
}

// Where on the screen a point is drawn, and how far before the eye; null if behind it.
function projected(view, size, point) {
  const from = sub(point, view.eye);
  const depth = dot(view.axes[2], from);
  if (depth <= 1e-9) return null;
  const [left, top, right, bottom] = view.window;
  return {
    x: ((dot(view.axes[0], from) / depth - left) / (right - left)) * size.width,
    y: ((dot(view.axes[1], from) / depth - top) / (bottom - top)) * size.height,
    depth,
  };
}

// The direction of a pixel's ray, one long along the view.
function rayThrough(view, size, x, y) {
  const [left, top, right, bottom] = view.window;
  const across = times(view.axes[0], left + (x / size.width) * (right - left));
  const downwards = times(view.axes[1], top + (y / size.height) * (bottom - top));
  return add(add(across, downwards), view.axes[2]);
}

function quaternionOf([r, d, f]) {
  const trace = r[0] + d[1] + f[2];
  if (trace > 0) {
    const s = 2 * Math.sqrt(trace + 1);
    return [s / 4, (d[2] - f[1]) / s, (f[0] - r[2]) / s, (r[1] - d[0]) / s];
  }
  if (r[0] > d[1] && r[0] > f[2]) {
    const s = 2 * Math.sqrt(1 + r[0] - d[1] - f[2]);
    return [(d[2] - f[1]) / s, s / 4, (d[0] + r[1]) / s, (f[0] + r[2]) / s];
  }
  if (d[1] > f[2]) {
    const s = 2 * Math.sqrt(1 + d[1] - r[0] - f[2]);
    return [(f[0] - r[2]) / s, (d[0] + r[1]) / s, s / 4, (f[1] + d[2]) / s];
  }
  const s = 2 * Math.sqrt(1 + f[2] - r[0] - d[1]);
  return [(r[1] - d[0]) / s, (f[0] + r[2]) / s, (f[1] + d[2]) / s, s / 4];
}

function axesOfQuaternion(q) {
  const length = Math.hypot(...q) || 1;
  const [w, x, y, z] = q.map((value) => value / length);
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
    [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
    [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
  ];
}

// The view a share of the way from one view to another.
function between(from, to, share) {
  const a = quaternionOf(from.axes);
  let b = quaternionOf(to.axes);
  let cosine = a.reduce((sum, value, i) => sum + value * b[i], 0);
  if (cosine < 0) {
    b = b.map((value) => -value);
    cosine = -cosine;
  }
  const angle = Math.acos(Math.min(1, cosine));
  const [p, q] =
    angle < 1e-4
      ? [1 - share, share]
      : [Math.sin((1 - share) * angle) / Math.sin(angle), Math.sin(share * angle) / Math.sin(angle)];
  return {
    eye: mix(from.eye, to.eye, share),
    axes: axesOfQuaternion(a.map((value, i) => p * value + q * b[i])),
    window: mix(from.window, to.window, share),
  };
}

// The largest of 1, 2, 5, 10, ... that is not above a length.
function niceBelow(length) {
  const power = 10 ** Math.floor(Math.log10(length));
  return power * [5, 2, 1].find((digit) => digit * power <= length * 1.0001);
}
