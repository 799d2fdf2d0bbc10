"use strict";

// The tensors as the page carries them: base64 of little-endian numbers, float32 for vectors, float16 or int8 for
// matrices, uint64 for the codes of an n-gram input. An int8 matrix has one float32 scale per row.

/** Returns all tensors by name, each as `{values, numRows, numColumns}`; `values` are float32, or BigInts. */
function decodedTensors(encoded) {
  const tensors = Object.create(null);
  for (const [name, { kind, shape, data, scales }] of Object.entries(encoded)) {
    const [numRows, numColumns = 1] = shape;
    tensors[name] = { values: DECODERS[kind](bytesOf(data), numColumns, scales), numRows, numColumns };
  }
  return tensors;
}

const DECODERS = {
  float32: (bytes) => new Float32Array(bytes.buffer),
  uint64: (bytes) => new BigUint64Array(bytes.buffer),
  float16: (bytes) => {
    const table = float16Table();
    const halves = new Uint16Array(bytes.buffer);
    const values = new Float32Array(halves.length);
    for (let i = 0; i < halves.length; i++) values[i] = table[halves[i]];
    return values;
  },
  int8: (bytes, numColumns, scales) => {
    const rowScales = new Float32Array(bytesOf(scales).buffer);
    const levels = new Int8Array(bytes.buffer);
    const values = new Float32Array(levels.length);
    for (let i = 0; i < levels.length; i++) values[i] = levels[i] * rowScales[Math.floor(i / numColumns)];
    return values;
  },
};

function bytesOf(base64) {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Returns the value of each of the 65,536 float16 patterns; the page has no infinite weight. */
function float16Table() {
  return Float32Array.from({ length: 2 ** 16 }, (_, half) => {
    const sign = half >> 15 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = (half & 1023) / 1024;
    return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
  });
}
