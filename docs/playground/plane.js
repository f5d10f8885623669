// The picture: D's landscape, the data, the samples and the pull on them, or a sheet of digits.

const EDGE = 1.6;

export const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--${name}`).trim();
const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

// Canvas coordinates of a point, and back.
export const place = (size, [x, y]) => [((x + EDGE) / (2 * EDGE)) * size, ((EDGE - y) / (2 * EDGE)) * size];
export const point = (size, [a, b]) => [(a / size) * 2 * EDGE - EDGE, EDGE - (b / size) * 2 * EDGE];

export class Plane {
  constructor(canvas) {
    this.canvas = canvas;
    this.small = document.createElement("canvas");
    this.scale = 0;
  }

  // A canvas of as many pixels as the screen has there; returns its width in CSS pixels.
  fit() {
    const size = this.canvas.clientWidth, dense = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(size * dense))
      this.canvas.width = this.canvas.height = Math.round(size * dense);
    this.pen = this.canvas.getContext("2d");
    this.pen.setTransform(dense, 0, 0, dense, 0, 0);
    return size;
  }

  draw({ frame, before, data, points, cursor, show }) {
    const size = this.fit();
    this.pen.fillStyle = colour("paper");
    this.pen.fillRect(0, 0, size, size);
    if (frame.images) return this.sheet(size, frame.images);
    if (show.landscape) this.landscape(size, frame.landscape);
    if (points) this.dots(size, points, colour("data"), 2.5);
    else this.dots(size, data, colour("data"), 1.2, 0.55);
    this.dots(size, frame.x, colour("ink"), 1.9, 0.85);
    if (show.arrows) this.arrows(size, frame, before);
    if (cursor) this.cross(size, cursor);
  }

  landscape(size, values) {
    const k = Math.sqrt(values.length), image = new ImageData(k, k);
    const [paper, high, low] = ["paper", "data", "delta"].map((name) => channels(colour(name)));
    values.forEach((value, i) => {
      const part = (Math.abs(value) / 100) ** 0.7 * 0.5, ink = value > 0 ? high : low;
      for (let j = 0; j < 3; j++) image.data[4 * i + j] = paper[j] + part * (ink[j] - paper[j]);
      image.data[4 * i + 3] = 255;
    });
    this.small.width = this.small.height = k;
    this.small.getContext("2d").putImageData(image, 0, 0);
    const half = size / (k - 1) / 2; // a value belongs to the middle of its pixel
    this.pen.imageSmoothingEnabled = true;
    this.pen.drawImage(this.small, -half, -half, size + 2 * half, size + 2 * half);
  }

  dots(size, points, ink, radius, alpha = 1) {
    this.pen.fillStyle = ink;
    this.pen.globalAlpha = alpha;
    this.pen.beginPath();
    for (const each of points) {
      const [a, b] = place(size, each);
      this.pen.moveTo(a + radius, b);
      this.pen.arc(a, b, radius, 0, 7);
    }
    this.pen.fill();
    this.pen.globalAlpha = 1;
  }

  // The longest arrow has an eighth of the width; a step alone does not change the scale.
  arrows(size, frame, before) {
    const longest = Math.max(...frame.pull.map(([a, b]) => Math.hypot(a, b)), 1e-12);
    if (!before || !(longest * this.scale < 0.5 && longest * this.scale > 0.1)) this.scale = 0.4 / longest;
    if (before) this.flock(size, before, colour("soft"), 1);
    this.flock(size, frame, colour("delta"), 1.6);
  }

  flock(size, { x, pull }, ink, width) {
    this.pen.strokeStyle = ink;
    this.pen.lineWidth = width;
    this.pen.beginPath();
    pull.forEach(([u, v], i) => {
      const [a, b] = place(size, x[i]);
      const [c, d] = place(size, [x[i][0] + this.scale * u, x[i][1] + this.scale * v]);
      const angle = Math.atan2(d - b, c - a), head = Math.min(5, Math.hypot(c - a, d - b) / 2);
      this.pen.moveTo(a, b);
      this.pen.lineTo(c, d);
      for (const turn of [2.6, -2.6]) {
        this.pen.moveTo(c, d);
        this.pen.lineTo(c + head * Math.cos(angle + turn), d + head * Math.sin(angle + turn));
      }
    });
    this.pen.stroke();
  }

  cross(size, at) {
    const [a, b] = place(size, at);
    this.pen.strokeStyle = colour("accent");
    this.pen.lineWidth = 1.5;
    this.pen.strokeRect(a - 6, b - 6, 12, 12);
  }

  // Digits in rows of six.
  sheet(size, images) {
    const n = Math.sqrt(images[0].length), across = 6, width = size / across;
    this.small.width = this.small.height = n;
    this.pen.imageSmoothingEnabled = false;
    const [paper, ink] = ["paper", "ink"].map((name) => channels(colour(name)));
    images.forEach((pixels, i) => {
      const image = new ImageData(n, n);
      pixels.forEach((value, p) => {
        for (let j = 0; j < 3; j++) image.data[4 * p + j] = paper[j] + (value / 255) * (ink[j] - paper[j]);
        image.data[4 * p + 3] = 255;
      });
      this.small.getContext("2d").putImageData(image, 0, 0);
      const [a, b] = [i % across, Math.floor(i / across)].map((k) => k * width + 2);
      this.pen.drawImage(this.small, a, b, width - 4, width - 4);
    });
  }
}
