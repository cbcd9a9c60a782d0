// Conversions between sRGB and CIE Lab (D65, the white of the matrix), equal
// to those of color/lab.py.

const XYZ_FROM_RGB = [[0.412453, 0.357580, 0.180423],
                      [0.212671, 0.715160, 0.072169],
                      [0.019334, 0.119193, 0.950227]].map(row => {
  const sum = row[0] + row[1] + row[2];
  return row.map(value => value / sum);
});
const RGB_FROM_XYZ = inverse(XYZ_FROM_RGB);
const DELTA = 6 / 29;
const TOLERANCE = 1e-5;

function inverse([[a, b, c], [d, e, f], [g, h, i]]) {
  const all = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [[e * i - f * h, c * h - b * i, b * f - c * e],
          [f * g - d * i, a * i - c * g, c * d - a * f],
          [d * h - e * g, b * g - a * h, a * e - b * d]].map(
    row => row.map(value => value / all));
}

const mix = (matrix, values) => matrix.map(
  row => row[0] * values[0] + row[1] * values[1] + row[2] * values[2]);

// "#rrggbb" -> [L, a, b].
export function labOf(rgb) {
  const linear = [1, 3, 5].map(at => {
    const value = parseInt(rgb.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const [x, y, z] = mix(XYZ_FROM_RGB, linear).map(value =>
    value > DELTA ** 3 ? Math.cbrt(value)
      : value / (3 * DELTA ** 2) + 4 / 29);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function linearOf(lightness, a, b) {
  const y = (lightness + 16) / 116;
  return mix(RGB_FROM_XYZ, [y + a / 500, y, y - b / 200].map(value =>
    value > DELTA ? value ** 3 : 3 * DELTA ** 2 * (value - 4 / 29)));
}

const inside = linear => linear.every(
  value => value >= -TOLERANCE && value <= 1 + TOLERANCE);

// Reduces the chroma until sRGB has the colour at this lightness: [a, b].
export function inGamut(lightness, a, b) {
  if (inside(linearOf(lightness, a, b))) return [a, b];
  let factor = 0;
  for (let step = 0.5; step > 1e-4; step /= 2) {
    const trial = factor + step;
    if (inside(linearOf(lightness, trial * a, trial * b))) factor = trial;
  }
  return [factor * a, factor * b];
}

// The colour of a lightness and an ab, reduced to the gamut: "#rrggbb".
export function hexOf(lightness, a, b) {
  const levels = linearOf(lightness, ...inGamut(lightness, a, b)).map(
    value => {
      const part = Math.min(1, Math.max(0, value));
      return Math.round(255 * (part <= 0.0031308 ? 12.92 * part
        : 1.055 * part ** (1 / 2.4) - 0.055));
    });
  return "#" + levels.map(
    level => level.toString(16).padStart(2, "0")).join("");
}

// "#abc", "abc", "#aabbcc" or "aabbcc" -> "#aabbcc"; anything else -> null.
export function readHex(text) {
  let digits = text.trim().replace(/^#/, "").toLowerCase();
  if (/^[0-9a-f]{3}$/.test(digits)) digits = digits.replace(/./g, "$&$&");
  return /^[0-9a-f]{6}$/.test(digits) ? `#${digits}` : null;
}
