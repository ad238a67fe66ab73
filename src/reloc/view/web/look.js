// Looking through a camera: its photo over the points, and a bar to fade between them.
class Look {
  constructor(data) {
    this.data = data;
    this.frame = null;
    this.kind = null; // "true" or "estimate": which of the frame's poses
  }

  get on() {
    return this.frame !== null;
  }

  get pose() {
    return this.kind === "true" ? this.frame.pose : this.frame.estimate;
  }

  start(frame, kind) {
    if (frame !== this.frame) {
      byId("photo").hidden = !frame.photo;
      if (frame.photo) byId("photo").src = `data:image/jpeg;base64,${frame.photo}`;
      byId("fade").disabled = !frame.photo;
    }
    Object.assign(this, { frame, kind });
    const missing = frame.photo ? "" : "the page holds no photo of it";
    byId("look").hidden = byId("window").hidden = false;
    document.body.classList.add("looking");
    byId("look-name").textContent = frame.name;
    byId("look-text").textContent = [frame.text, missing].filter(Boolean).join(" · ");
    byId("other").hidden = !(frame.pose && frame.estimate);
    byId("other").textContent = `from the ${kind === "true" ? "true" : "estimated"} pose`;
  }

  end() {
    this.frame = null;
    for (const id of ["look", "photo", "window"]) byId(id).hidden = true;
    document.body.classList.remove("looking");
  }

  // Where the photo lies on the screen, in the part of it that is free.
  place(free) {
    const [width, height] = this.data.cameras[this.frame.camera];
    const scale = Math.min((free.width - 24) / width, free.height / height);
    return {
      x: free.x + (free.width - width * scale) / 2,
      y: free.y + (free.height - height * scale) / 2,
      scale,
      width: width * scale,
      height: height * scale,
    };
  }

  view(size, free) {
    const { x, y, scale } = this.place(free);
    const [, , fx, fy, cx, cy] = this.data.cameras[this.frame.camera];
    return {
      eye: eyeOf(this.pose),
      axes: axesOf(this.pose),
      window: windowOf(size, fx * scale, fy * scale, x + cx * scale, y + cy * scale),
    };
  }

  // `share` from 0 to 1 holds the photo back.
  show(size, free, share) {
    const { x, y, width, height } = this.place(free);
    const inner = Math.min(free.width - 24, 640);
    Object.assign(byId("look").style, {
      width: `${inner}px`,
      left: `${free.x + (free.width - inner) / 2}px`,
      top: `${free.y + free.height + 12}px`,
    });
    const place = { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` };
    Object.assign(byId("window").style, place, { opacity: share });
    Object.assign(byId("photo").style, place, { opacity: Number(byId("fade").value) * share });
  }
}
