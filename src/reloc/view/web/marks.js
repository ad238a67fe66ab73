// Cameras as small pyramids, their errors as lines, and which of them a press hits.
const ERROR_STOPS = [[42, 157, 143], [229, 166, 58], [214, 69, 80]];
const LOST = [196, 78, 214];
// On dark and on light ground.
const LANDMARK = { dark: [255, 214, 10], light: [176, 112, 0] };

// The colour of an error by the logarithm of its place between two lengths.
function errorColour(error, [low, high]) {
  const share = clamp(Math.log(Math.max(error, low) / low) / Math.log(high / low), 0, 1) * 2;
  const stop = Math.min(1, Math.floor(share));
  return mix(ERROR_STOPS[stop], ERROR_STOPS[stop + 1], share - stop).map(Math.round);
}

const css = (colour) => `rgb(${colour.join(" ")})`;

// Corners of a camera's image in the world, `depth` before it; top left first, clockwise.
function corners(pose, [width, height, fx, fy, cx, cy], depth) {
  const [eye, axes] = [eyeOf(pose), axesOf(pose)];
  return [[0, 0], [width, 0], [width, height], [0, height]].map(([u, v]) => {
    const across = times(axes[0], ((u - cx) / fx) * depth);
    return add(add(eye, add(across, times(axes[1], ((v - cy) / fy) * depth))), times(axes[2], depth));
  });
}

// A growing list of lines for Drawing.lines().
class Segments {
  constructor() {
    this.numbers = [];
    this.packed = [];
  }

  add(from, to, colour, alpha) {
    this.numbers.push(...from, ...to);
    const byte = Math.round(255 * alpha);
    this.packed.push((colour[0] | (colour[1] << 8) | (colour[2] << 16) | (byte << 24)) >>> 0);
  }

  pyramid(eye, image, colour, alpha) {
    image.forEach((corner, i) => {
      this.add(corner, image[(i + 1) % 4], colour, alpha);
      this.add(eye, corner, colour, 0.6 * alpha);
    });
  }

  bytes() {
    const buffer = new ArrayBuffer(28 * this.packed.length);
    const [floats, words] = [new Float32Array(buffer), new Uint32Array(buffer)];
    this.packed.forEach((word, i) => {
      floats.set(this.numbers.slice(6 * i, 6 * i + 6), 7 * i);
      words[7 * i + 6] = word;
    });
    return floats;
  }
}

// A mark is one camera as drawn: {frame, kind, eye, image, colour, alpha, whole}. Frames with an
// estimate have two, so that both its poses can be seen. Frames of a video would be one solid ribbon:
// of cameras that nearly coincide only the first, the one with the largest error, is drawn whole.
function marksOf(frames, data, { shows, depth, ink }) {
  const marks = [];
  const groups = {};
  const put = (frame, kind, pose, colour, alpha) => {
    const [eye, ahead] = [eyeOf(pose), axesOf(pose)[2]];
    const group = (groups[`${frame.query} ${kind}`] ??= []);
    const near = (other) => norm(sub(other.eye, eye)) < 0.7 * depth && dot(other.ahead, ahead) > 0.9;
    const whole = !group.some(near);
    if (whole) group.push({ eye, ahead });
    const image = corners(pose, data.cameras[frame.camera], depth);
    marks.push({ frame, kind, eye, image, colour, alpha, whole });
  };
  const worst = [...frames].sort((a, b) => (b.error ?? -1) - (a.error ?? -1));
  for (const frame of worst) {
    if (!frame.query) {
      if (shows.mapping) put(frame, "true", frame.pose, [104, 150, 196], 0.6);
      continue;
    }
    if (frame.pose && (shows.true || !frame.judged)) {
      const colour = frame.judged && !frame.localized ? LOST : ink;
      put(frame, "true", frame.pose, colour, frame.judged ? 0.5 : 0.9);
    }
    if (frame.estimate && shows.estimates) {
      const known = frame.error !== null;
      const colour = known ? errorColour(frame.error, data.errors.ends) : [92, 168, 230];
      put(frame, "estimate", frame.estimate, colour, 1);
    }
  }
  return marks;
}

function segmentsOf(marks) {
  const segments = new Segments();
  for (const { frame, kind, eye, image, colour, alpha, whole } of marks) {
    if (whole) segments.pyramid(eye, image, colour, alpha);
    else segments.add(eye, mix(eye, mix(image[0], image[2], 0.5), 0.3), colour, alpha);
    if (kind === "estimate" && frame.pose) segments.add(eye, eyeOf(frame.pose), colour, 1);
  }
  return segments;
}

// The floor as squares of `step`, fading towards the rim.
function gridSegments({ floor, centre, radius }, step, ink) {
  const segments = new Segments();
  const count = Math.ceil(radius / step);
  const [x0, y0] = [Math.round(centre[0] / step), Math.round(centre[1] / step)];
  for (let i = -count; i <= count; i++) {
    for (let j = -count; j < count; j++) {
      const alpha = 0.3 * (1 - Math.hypot(i, j + 0.5) / count);
      if (alpha <= 0) continue;
      const along = [(x0 + i) * step, (y0 + j) * step, (x0 + j) * step, (y0 + i) * step];
      segments.add([along[0], along[1], floor], [along[0], along[1] + step, floor], ink, alpha);
      segments.add([along[2], along[3], floor], [along[2] + step, along[3], floor], ink, alpha);
    }
  }
  return segments;
}

// The nearest mark that a pixel hits: within its image on the screen, or close to its eye.
function markAt(marks, view, size, x, y, reach) {
  let best = null;
  for (const mark of marks) {
    const eye = projected(view, size, mark.eye);
    const image = mark.image.map((corner) => projected(view, size, corner));
    if (!eye || image.some((corner) => !corner)) continue;
    const middle = [(image[0].x + image[2].x) / 2, (image[0].y + image[2].y) / 2];
    const fromEye = Math.hypot(eye.x - x, eye.y - y);
    const close = mark.whole ? Math.min(fromEye, Math.hypot(middle[0] - x, middle[1] - y)) : fromEye;
    const sides = image.map((corner, i) => {
      const next = image[(i + 1) % 4];
      return (next.x - corner.x) * (y - corner.y) - (next.y - corner.y) * (x - corner.x);
    });
    const turned = sides.every((side) => side > 0) || sides.every((side) => side < 0);
    const inside = mark.whole && turned;
    if (!inside && close > reach) continue;
    // Of marks that overlap, the one whose centre is nearest to the pointer is meant.
    if (!best || close < best.close) best = { mark, close };
  }
  return best?.mark ?? null;
}
