// Boxes over the picture, on a canvas of their own, so that they can be switched off. Between two decisions a tracked
// box moves on as it moved between the last two, so that it stays with what walks; it never runs ahead for long.

const FRESH_MS = 2500;
const AHEAD_SECONDS = 0.7; // people turn round
const GONE = 0.02; // of the picture's side
const STILL = 0.02; // of the picture a second: slower is the detector's own trembling

export class Overlay {
  constructor(picture) {
    this.video = picture.querySelector('video');
    this.canvas = picture.querySelector('canvas');
    this.boxes = [];
    this.calm = matchMedia('(prefers-reduced-motion: reduce)');
    new ResizeObserver(() => this.draw()).observe(picture);
  }

  // `boxes` as they were at second `t`, `age` seconds ago.
  show(boxes, t = 0, age = 0) {
    const before = new Map(this.boxes.map((box) => [`${box.label} ${box.track}`, box]));
    const passed = t - this.t;
    this.boxes = boxes.map((box) => ({ ...box, drift: drift(before.get(`${box.label} ${box.track}`), box, passed) }));
    Object.assign(this, { t, seen: performance.now() - age * 1000 });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.boxes = []; }, FRESH_MS);
    if (!this.drawing) this.animate();
  }

  animate() {
    this.draw();
    this.drawing = this.boxes.length ? requestAnimationFrame(() => this.animate()) : 0;
  }

  draw() {
    const { canvas, video } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    [canvas.width, canvas.height] = [width * ratio, height * ratio];
    const pen = canvas.getContext('2d');
    pen.scale(ratio, ratio);
    if (document.body.classList.contains('jv-no-boxes') || !video.videoWidth) return;
    const scale = Math.min(width / video.videoWidth, height / video.videoHeight);
    const [w, h] = [video.videoWidth * scale, video.videoHeight * scale];
    const at = { x: (width - w) / 2, y: (height - h) / 2, w, h };
    const ahead = this.calm.matches ? 0 : Math.min(AHEAD_SECONDS, (performance.now() - this.seen) / 1000);
    for (const box of this.boxes) drawBox(pen, box, ahead, at);
  }
}

// How fast a tracked box moves, in parts of the picture a second.
function drift(before, box, passed) {
  if (!before || !box.track || passed <= 0 || passed > 3) return [0, 0];
  const middle = ({ xyxy: [x0, y0, x1, y1] }) => [(x0 + x1) / 2, (y0 + y1) / 2];
  const [a, b] = [middle(before), middle(box)];
  return [0, 1].map((axis) => (b[axis] - a[axis]) / passed).map((speed) => (Math.abs(speed) < STILL ? 0 : speed));
}

function drawBox(pen, box, ahead, at) {
  const [dx, dy] = box.drift.map((speed) => speed * ahead);
  const [x0, y0, x1, y1] = [box.xyxy[0] + dx, box.xyxy[1] + dy, box.xyxy[2] + dx, box.xyxy[3] + dy].map((edge) => Math.min(1, Math.max(0, edge)));
  if (x1 - x0 < GONE || y1 - y0 < GONE) return; // it has walked out of the picture
  const [x, y, w, h] = [at.x + x0 * at.w, at.y + y0 * at.h, (x1 - x0) * at.w, (y1 - y0) * at.h];
  const [line, ground] = box.label === 'flame' ? ['#fb7185', '#be123c'] : ['#2dd4bf', '#0f766e'];
  pen.lineWidth = 2;
  pen.strokeStyle = line;
  pen.setLineDash(box.label === 'text' ? [4, 3] : []);
  pen.strokeRect(x, y, w, h);
  if (box.label === 'text') return;
  const label = `${box.label} ${box.score.toFixed(2).replace(/^0/, '')}`;
  pen.font = '12px system-ui, sans-serif';
  const wide = pen.measureText(label).width + 8;
  const top = y > 18 ? y - 17 : y;
  pen.fillStyle = ground;
  pen.fillRect(x, top, wide, 17);
  pen.fillStyle = '#fff';
  pen.fillText(label, x + 4, top + 12.5);
}
