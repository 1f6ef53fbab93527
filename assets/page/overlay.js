// Boxes over the picture, on a canvas of their own, so that they can be switched off.

const FRESH_MS = 2500;

export class Overlay {
  constructor(picture) {
    this.video = picture.querySelector('video');
    this.canvas = picture.querySelector('canvas');
    this.boxes = [];
    new ResizeObserver(() => this.draw()).observe(picture);
  }

  show(boxes) {
    this.boxes = boxes;
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show([]), FRESH_MS);
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
    for (const box of this.boxes) drawBox(pen, box, at);
  }
}

function drawBox(pen, box, at) {
  const [x0, y0, x1, y1] = box.xyxy;
  const [x, y, w, h] = [at.x + x0 * at.w, at.y + y0 * at.h, (x1 - x0) * at.w, (y1 - y0) * at.h];
  const colour = box.label === 'flame' ? '#e11d48' : '#14b8a6';
  pen.lineWidth = 2;
  pen.strokeStyle = colour;
  pen.setLineDash(box.label === 'text' ? [4, 3] : []);
  pen.strokeRect(x, y, w, h);
  if (box.label === 'text') return;
  const label = `${box.label} ${box.score.toFixed(2).replace(/^0/, '')}`;
  pen.font = '12px system-ui, sans-serif';
  const wide = pen.measureText(label).width + 8;
  const top = y > 18 ? y - 17 : y;
  pen.fillStyle = colour;
  pen.fillRect(x, top, wide, 17);
  pen.fillStyle = '#fff';
  pen.fillText(label, x + 4, top + 12.5);
}
