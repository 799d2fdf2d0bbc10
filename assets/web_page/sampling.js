"use strict";

// From log-probabilities to a tweet: temperature, truncation, drawing, as the program does it. Weights are float32, as
// in the program, their sums float64.

const EOS = 2;
const NUM_SPECIALS = 4; // <PAD> <BOS> <EOS> <UNK>
const NUM_CANDIDATES = 8;

/** Whether an id may be drawn: of the special symbols only `<EOS>`. */
function isSampled(id) {
  return id === EOS || id >= NUM_SPECIALS;
}

/**
 * Returns the unnormalized probability of each id (V) after temperature, top-k, top-p and min-p.
 *
 * With `temperature_last` the three filters apply to the distribution at temperature 1, and the temperature to what
 * they keep. Temperature 0 gives all weight to the likeliest.
 */
function nextCharWeights(logProbs, sampling) {
  const scaled = Float32Array.from(logProbs, (logProb, id) => (isSampled(id) ? logProb : -Infinity));
  const highest = scaled.reduce((left, right) => Math.max(left, right));
  if (sampling.temperature === 0) {
    const likeliest = scaled.indexOf(highest);
    return scaled.map((_, id) => (id === likeliest ? 1 : 0));
  }
  const weightsAt = (temperature) => scaled.map((value) => Math.exp((value - highest) / temperature));
  if (!sampling.temperature_last) return filtered(weightsAt(sampling.temperature), sampling);
  const kept = filtered(weightsAt(1), sampling);
  return weightsAt(sampling.temperature).map((weight, id) => (kept[id] > 0 ? weight : 0));
}

/** Returns the weights (V) with zeros where top-k, top-p or min-p exclude an id. */
function filtered(weights, { top_k: topK, top_p: topP, min_p: minP }) {
  if (topK > 0 && topK < weights.length) {
    const smallestKept = weights.slice().sort()[weights.length - topK];
    weights = weights.map((weight) => (weight < smallestKept ? 0 : weight));
  }
  if (topP < 1) weights = nucleus(weights, topP);
  if (minP > 0) {
    const least = minP * weights.reduce((left, right) => Math.max(left, right));
    weights = weights.map((weight) => (weight < least ? 0 : weight));
  }
  return weights;
}

/** Returns probabilities, with zeros outside the smallest set of likeliest ids with a total of `topP` or more. */
function nucleus(weights, topP) {
  const total = sumOf(weights);
  const kept = new Float32Array(weights.length);
  let massBefore = 0;
  for (const id of idsByWeight(weights)) {
    if (massBefore >= topP) break;
    kept[id] = weights[id] / total;
    massBefore += kept[id];
  }
  return kept;
}

function sumOf(weights) {
  return weights.reduce((sum, weight) => sum + weight, 0);
}

/** Returns all ids, the greatest weight first, equal ones in the order of the ids. */
function idsByWeight(weights) {
  return Array.from(weights.keys()).sort((left, right) => weights[right] - weights[left]);
}

/** Draws an id by inverse transform sampling: the first whose cumulative weight exceeds the uniform number's share. */
function draw(weights, uniform) {
  const threshold = uniform * sumOf(weights);
  let cumulative = 0;
  return weights.findIndex((weight) => (cumulative += weight) > threshold);
}

/** Writes one tweet; `advance` adds a character. The same seed gives the program's tweet. */
class TweetWriter {
  /** Reads the prompt, a list of ids shorter than `sampling.max_length`; `seed` is a BigInt of 0 or more. */
  constructor(model, sampling, promptIds, seed) {
    this.model = model;
    this.sampling = sampling;
    this.seed = seed;
    this.uniforms = uniformsOf(seed, sampling.max_length);
    this.chars = []; // what is known of each character so far, `<EOS>` included
    this.state = model.newState();
    this.read(BOS);
    for (const id of promptIds) this.append(id, null);
  }

  get isDone() {
    return this.hasEnded || this.chars.length === this.sampling.max_length;
  }

  get hasEnded() {
    return this.chars.at(-1)?.id === EOS;
  }

  /** Mean surprise at temperature 1, over the prompt, the text and `<EOS>`. */
  get bitsPerChar() {
    return this.chars.reduce((sum, { bits }) => sum + bits, 0) / this.chars.length;
  }

  /** Draws and appends a character. */
  advance() {
    const uniform = this.uniforms[this.chars.length];
    this.append(draw(this.weights, uniform), uniform);
  }

  append(id, uniform) {
    const bits = -this.logProbs[id] / Math.LN2;
    this.chars.push({ id, bits, uniform, candidates: this.candidates(id) });
    if (!this.isDone) this.read(id);
  }

  read(id) {
    this.logProbs = this.model.step(this.state, id);
    this.weights = nextCharWeights(this.logProbs, this.sampling);
  }

  /**
   * Returns the likeliest ids, and `chosen` if it is not among them, each with its probability in the model's own
   * distribution and in the one drawn from, and the place in [0, 1) where its share of the latter starts.
   */
  candidates(chosen) {
    const weights = this.weights;
    const total = sumOf(weights);
    const starts = new Float64Array(weights.length);
    for (let id = 1; id < weights.length; id++) starts[id] = starts[id - 1] + weights[id - 1] / total;
    const likeliest = idsByWeight(this.logProbs).filter(isSampled).slice(0, NUM_CANDIDATES);
    const shown = likeliest.includes(chosen) ? likeliest : [...likeliest, chosen];
    return shown.map((id) => ({
      id,
      own: Math.exp(this.logProbs[id]),
      drawn: weights[id] / total,
      start: starts[id],
    }));
  }
}
