// What WebGL 2 draws: points with shaded edges, and lines of any width.
const POINTS_VERTEX = `#version 300 es
layout(location = 0) in vec3 place;
layout(location = 1) in vec4 colour; // the last number is the point's size, in 64ths of an octave
uniform mat4 clipFromWorld;
uniform vec3 low, span;
uniform float cut, pixels, smallest, largest, lift;
out vec3 shade;
flat out float size;
void main() {
  vec3 world = low + place * span;
  gl_Position = clipFromWorld * vec4(world, 1.0);
  gl_Position.z -= lift;
  if (world.z > cut) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  float grown = pixels * exp2(colour.a * 255.0 / 64.0 - 1.0);
  size = clamp(grown / gl_Position.w, smallest, largest);
  gl_PointSize = size;
  shade = colour.rgb;
}`;
const POINTS_FRAGMENT = `#version 300 es
precision highp float;
in vec3 shade;
flat in float size;
out vec4 colour;
void main() {
  vec2 off = gl_PointCoord - 0.5;
  if (size > 2.5 && dot(off, off) > 0.25) discard;
  colour = vec4(shade, 1.0);
}`;
const SCREEN_VERTEX = `#version 300 es
void main() {
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0);
}`;
// Eye-dome lighting (Boucheny 2009): a pixel is darker the more its neighbours stand before it,
// which shows the shape of points that have no normals.
const SCREEN_FRAGMENT = `#version 300 es
precision highp float;
uniform highp sampler2D colours, depths;
uniform vec3 background;
uniform float near, far, strength;
uniform int reach;
out vec4 colour;
float deep(ivec2 at) {
  float depth = texelFetch(depths, at, 0).r;
  return depth >= 1.0 ? 1e6 : log2(near * far / (far - depth * (far - near)));
}
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  ivec2 last = textureSize(depths, 0) - 1;
  float own = deep(at);
  bool empty = own > 1e5;
  float hidden = 0.0, around = 0.0, front = 1.0;
  vec3 shade = texelFetch(colours, at, 0).rgb, mean = vec3(0.0);
  for (int i = 0; i < 4; i++) {
    ivec2 step = i == 0 ? ivec2(1, 0) : i == 1 ? ivec2(-1, 0) : i == 2 ? ivec2(0, 1) : ivec2(0, -1);
    ivec2 other = clamp(at + (empty ? 2 : 1) * reach * step, ivec2(0), last);
    float depth = deep(other);
    hidden += min(0.05, max(0.0, own - depth));
    if (empty && depth < 1e5) {
      around += 1.0;
      mean += texelFetch(colours, other, 0).rgb;
      front = min(front, texelFetch(depths, other, 0).r);
    }
  }
  // A small gap in a surface takes on what is around it.
  gl_FragDepth = around > 2.5 ? front : texelFetch(depths, at, 0).r;
  if (empty) colour = vec4(around > 2.5 ? mean / around : background, 1.0);
  else colour = vec4(shade * exp(-strength * hidden), 1.0);
}`;
// Every line is a quad that is a little wider than the line, so that its edges can be smooth.
const LINES_VERTEX = `#version 300 es
layout(location = 0) in vec3 from;
layout(location = 1) in vec3 to;
layout(location = 2) in vec4 colour;
uniform mat4 clipFromWorld;
uniform vec2 screen;
uniform float width, near;
out vec4 shade;
out float across;
void main() {
  vec4 a = clipFromWorld * vec4(from, 1.0);
  vec4 b = clipFromWorld * vec4(to, 1.0);
  if (a.w < near && b.w < near) {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    return;
  }
  if (a.w < near) a = mix(a, b, (near - a.w) / (b.w - a.w));
  if (b.w < near) b = mix(b, a, (near - b.w) / (a.w - b.w));
  vec2 along = (b.xy / b.w - a.xy / a.w) * screen;
  along = length(along) > 1e-6 ? normalize(along) : vec2(1.0, 0.0);
  float side = float(gl_VertexID & 1) * 2.0 - 1.0;
  float end = float(gl_VertexID >> 1);
  float reach = width * 0.5 + 1.0;
  vec4 place = mix(a, b, end);
  vec2 offset = (vec2(-along.y, along.x) * side + along * (end * 2.0 - 1.0) * 0.5) * reach;
  place.xy += offset * 2.0 / screen * place.w;
  gl_Position = place;
  across = side * reach;
  shade = colour;
}`;
const LINES_FRAGMENT = `#version 300 es
precision highp float;
in vec4 shade;
in float across;
uniform float width, opacity;
out vec4 colour;
void main() {
  float cover = clamp(width * 0.5 + 0.5 - abs(across), 0.0, 1.0);
  colour = vec4(shade.rgb, shade.a * cover * opacity);
}`;

// How points are drawn, and landmarks: as dots of two pixels, before the surfaces that they lie in.
const POINTS = { smallest: 1, nearer: 0 };
const LANDMARKS = { radius: 0, smallest: 2, nearer: 0.02 };

class Drawing {
  constructor(canvas) {
    const gl = canvas.getContext("webgl2", { antialias: false, alpha: false });
    if (!gl) throw new Error("no WebGL 2");
    this.gl = gl;
    this.points = this.program(POINTS_VERTEX, POINTS_FRAGMENT);
    this.screen = this.program(SCREEN_VERTEX, SCREEN_FRAGMENT);
    this.strokes = this.program(LINES_VERTEX, LINES_FRAGMENT);
    this.colours = gl.createTexture();
    this.depths = gl.createTexture();
    this.buffer = gl.createFramebuffer();
    this.nothing = gl.createVertexArray();
    this.largest = gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE)[1];
  }

  program(vertex, fragment) {
    const gl = this.gl;
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
      throw new Error(gl.getProgramInfoLog(program));
    }
    const uniforms = {};
    for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i++) {
      const { name } = gl.getActiveUniform(program, i);
      uniforms[name] = gl.getUniformLocation(program, name);
    }
    return { program, uniforms };
  }

  // Positions are three 16-bit steps of a box, colours and sizes four bytes. Without these all points
  // are of what is put into `colour`.
  cloud(places, colours) {
    const gl = this.gl;
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    this.attribute(0, places, 3, gl.UNSIGNED_SHORT);
    if (colours) this.attribute(1, colours, 4, gl.UNSIGNED_BYTE);
    return { array, colour: [0, 0, 0] };
  }

  attribute(index, array, numbers, type) {
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, array, gl.STATIC_DRAW);
    gl.vertexAttribPointer(index, numbers, type, true, 0, 0);
    gl.enableVertexAttribArray(index);
  }

  // Lines, each seven numbers: two ends and a packed colour; `previous` is overwritten.
  lines(segments, previous) {
    const gl = this.gl;
    const made = previous ?? { array: gl.createVertexArray(), buffer: gl.createBuffer() };
    gl.bindVertexArray(made.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, made.buffer);
    gl.bufferData(gl.ARRAY_BUFFER, segments, gl.DYNAMIC_DRAW);
    gl.vertexAttribPointer(0, 3, gl.FLOAT, false, 28, 0);
    gl.vertexAttribPointer(1, 3, gl.FLOAT, false, 28, 12);
    gl.vertexAttribPointer(2, 4, gl.UNSIGNED_BYTE, true, 28, 24);
    for (const index of [0, 1, 2]) {
      gl.enableVertexAttribArray(index);
      gl.vertexAttribDivisor(index, 1);
    }
    return { ...made, count: segments.byteLength / 28 };
  }

  resize(width, height) {
    const gl = this.gl;
    if (gl.canvas.width === width && gl.canvas.height === height && this.sized) return;
    this.sized = true;
    Object.assign(gl.canvas, { width, height });
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.buffer);
    for (const [texture, inside, format, type, place] of [
      [this.colours, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, gl.COLOR_ATTACHMENT0],
      [this.depths, gl.DEPTH_COMPONENT24, gl.DEPTH_COMPONENT, gl.UNSIGNED_INT, gl.DEPTH_ATTACHMENT],
    ]) {
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, inside, width, height, 0, format, type, null);
      for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
        gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
      }
      gl.framebufferTexture2D(gl.FRAMEBUFFER, place, gl.TEXTURE_2D, texture, 0);
    }
  }

  // `points`: [{cloud, low, span, count, cut, radius, smallest, nearer}], where `nearer` is the share
  // of its distance that a point is drawn before where it is; `strokes`: [{lines, width, opacity,
  // through}].
  draw({ view, near, far, background, ratio, points, strokes }) {
    const gl = this.gl;
    const { width, height } = gl.canvas;
    const matrix = clipFromWorld(view, near, far);
    gl.viewport(0, 0, width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.buffer);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LESS);
    gl.disable(gl.BLEND);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    for (const some of points) {
      if (some.count) this.drawPoints(matrix, view, ratio, [near, far], some);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    this.drawShaded(near, far, background, ratio);
    this.drawStrokes(matrix, near, ratio, strokes);
  }

  drawPoints(matrix, view, ratio, [near, far], points) {
    const { cloud, low, span, count, cut, radius, smallest, nearer } = points;
    const gl = this.gl;
    const { program, uniforms } = this.points;
    gl.useProgram(program);
    gl.uniformMatrix4fv(uniforms.clipFromWorld, false, matrix);
    gl.uniform3fv(uniforms.low, low);
    gl.uniform3fv(uniforms.span, span);
    gl.uniform1f(uniforms.cut, cut);
    const focal = gl.canvas.height / (view.window[3] - view.window[1]);
    gl.uniform1f(uniforms.pixels, 2 * radius * focal);
    gl.uniform1f(uniforms.smallest, smallest * ratio);
    gl.uniform1f(uniforms.largest, Math.min(this.largest, 16 * ratio));
    // Depth is a number plus another one over the distance, which alone changes.
    gl.uniform1f(uniforms.lift, (nearer / (1 - nearer)) * ((2 * near * far) / (far - near)));
    gl.bindVertexArray(cloud.array);
    gl.vertexAttrib3fv(1, cloud.colour.map((byte) => byte / 255));
    gl.drawArrays(gl.POINTS, 0, count);
  }

  drawShaded(near, far, background, ratio) {
    const gl = this.gl;
    const { program, uniforms } = this.screen;
    gl.useProgram(program);
    gl.depthFunc(gl.ALWAYS);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.colours);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.depths);
    gl.uniform1i(uniforms.colours, 0);
    gl.uniform1i(uniforms.depths, 1);
    gl.uniform3fv(uniforms.background, background);
    gl.uniform1f(uniforms.near, near);
    gl.uniform1f(uniforms.far, far);
    gl.uniform1f(uniforms.strength, 2.5);
    gl.uniform1i(uniforms.reach, Math.round(ratio));
    gl.bindVertexArray(this.nothing);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.activeTexture(gl.TEXTURE0);
  }

  drawStrokes(matrix, near, ratio, strokes) {
    const gl = this.gl;
    const { program, uniforms } = this.strokes;
    gl.useProgram(program);
    gl.uniformMatrix4fv(uniforms.clipFromWorld, false, matrix);
    gl.uniform2f(uniforms.screen, gl.canvas.width, gl.canvas.height);
    gl.uniform1f(uniforms.near, near);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.depthMask(false);
    for (const { lines, width, opacity, through } of strokes) {
      if (!lines.count) continue;
      gl.uniform1f(uniforms.width, width * ratio);
      gl.bindVertexArray(lines.array);
      // What points hide is still hinted at.
      for (const [test, share] of [[gl.LEQUAL, 1], [gl.GREATER, through]]) {
        if (!share) continue;
        gl.depthFunc(test);
        gl.uniform1f(uniforms.opacity, opacity * share);
        gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, lines.count);
      }
    }
    gl.depthMask(true);
  }
}
