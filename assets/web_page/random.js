"use strict";

// The uniform numbers of NumPy's `Generator(PCG64(seed))`, bit for bit: each tweet is drawn from its own sequence.
//
// `SeedSequence` (numpy/random/bit_generator.pyx, after M. E. O'Neill's seed_seq_fe) spreads a seed of any size over
// 256 bits, and PCG64 (O'Neill 2014, HMC-CS-2014-0905; PCG-XSL-RR 128/64) makes the numbers.

const PCG_MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
const POOL_WORDS = 4;

/** Returns `count` uniform numbers in [0, 1) that depend on `seed`, a BigInt of 0 or more, alone. */
function uniformsOf(seed, count) {
  const [high, low, sequenceHigh, sequenceLow] = seedWords(seed);
  const increment = BigInt.asUintN(128, (((sequenceHigh << 64n) | sequenceLow) << 1n) | 1n);
  const stepped = (state) => BigInt.asUintN(128, state * PCG_MULTIPLIER + increment);
  let state = stepped(BigInt.asUintN(128, increment + ((high << 64n) | low)));
  const uniforms = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    state = stepped(state);
    const folded = (state >> 64n) ^ BigInt.asUintN(64, state);
    const turns = state >> 122n;
    const rotated = BigInt.asUintN(64, (folded >> turns) | (folded << (64n - turns)));
    uniforms[i] = Number(rotated >> 11n) / 2 ** 53;
  }
  return uniforms;
}

/** Returns four 64-bit BigInts that depend on a seed, as `SeedSequence(seed).generate_state(4, uint64)`. */
function seedWords(seed) {
  const pool = mixedPool(words32(seed));
  const hash = hasher(0x8b51f9dd, 0x58f38ded);
  const words = Array.from({ length: 2 * POOL_WORDS }, (_, i) => hash(pool[i % POOL_WORDS]));
  return Array.from({ length: POOL_WORDS }, (_, i) => (BigInt(words[2 * i + 1]) << 32n) | BigInt(words[2 * i]));
}

/** Returns the pool of four 32-bit words that each depend on all words of the seed. */
function mixedPool(entropy) {
  const hash = hasher(0x43b0d7e5, 0x931e8875);
  const pool = Array.from({ length: POOL_WORDS }, (_, i) => hash(entropy[i] ?? 0));
  for (let source = 0; source < POOL_WORDS; source++) {
    for (let target = 0; target < POOL_WORDS; target++) {
      if (source !== target) pool[target] = mixed(pool[target], hash(pool[source]));
    }
  }
  for (const word of entropy.slice(POOL_WORDS)) {
    for (let target = 0; target < POOL_WORDS; target++) pool[target] = mixed(pool[target], hash(word));
  }
  return pool;
}

/** Returns the 32-bit words of a BigInt, the lowest first; at least one. */
function words32(value) {
  const words = [];
  do {
    words.push(Number(BigInt.asUintN(32, value)));
    value >>= 32n;
  } while (value > 0n);
  return words;
}

/** Returns a hash function of 32-bit words whose constant changes with each call. */
function hasher(constant, multiplier) {
  return (word) => {
    const value = word ^ constant;
    constant = Math.imul(constant, multiplier);
    const product = Math.imul(value, constant);
    return (product ^ (product >>> 16)) >>> 0;
  };
}

function mixed(left, right) {
  const sum = Math.imul(0xca01f9dd, left) - Math.imul(0x4973f715, right);
  return (sum ^ (sum >>> 16)) >>> 0;
}
