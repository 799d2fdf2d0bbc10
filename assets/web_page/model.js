"use strict";

// The model: embedding, GRU layers, projection, as in PyTorch. One step reads a character and predicts the next one.
//
//     r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)          reset
//     z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)          update
//     n = tanh(W_in x + b_in + c + r * (W_hn h + b_hn))   candidate
//     h' = (1 - z) * n + z * h                            hidden
//
// In the first layer, c is the sum of the rows that the last two, three and four characters have in the table of the
// n-gram input, if the model has one; else 0. Sizes: V vocabulary, E embedding, H hidden. Weights are float32 in
// contiguous rows; states and sums are float64.

const BOS = 1;
const UNK = 3;
const NGRAM_ORDERS = [2n, 3n, 4n];
const LONGEST_NGRAM = 4n;
const ID_BITS = 16n;

class Model {
  /** `tensors` has the decoded tensors by their names in a PyTorch state_dict. */
  constructor(tensors) {
    this.embedding = tensors["embed.weight"]; // (V, E)
    this.projection = tensors["proj.weight"] ?? this.embedding; // (V, H); tied embeddings share one matrix
    this.projectionBias = tensors["proj.bias"].values;
    this.hiddenSize = this.projection.numColumns;
    this.layers = [];
    for (let i = 0; `rnn.weight_hh_l${i}` in tensors; i++) {
      const [inputWeight, stateWeight] = ["ih", "hh"].map((part) => tensors[`rnn.weight_${part}_l${i}`]); // (3H, ...)
      const [inputBias, stateBias] = ["ih", "hh"].map((part) => tensors[`rnn.bias_${part}_l${i}`].values);
      this.layers.push({ inputWeight, stateWeight, inputBias, stateBias });
    }
    this.ngramRows = tensors["ngram_input.weight"]?.values;
    this.ngramPlaces = new Map(Array.from(tensors["ngram_input.contexts"]?.values ?? [], (code, row) => [code, row]));
    this.inputsById = new Map(); // the first layer's product with the embedding of each character read so far
  }

  /** Returns the state before the first character. */
  newState() {
    return { hidden: this.layers.map(() => new Float64Array(this.hiddenSize)), window: 0n };
  }

  /** Reads a character; returns the log-probabilities (V) of the next one, in nats, and updates the state. */
  step(state, id) {
    let fromInput = this.firstInput(id).slice(); // (3H)
    this.addNgrams(state, id, fromInput);
    this.layers.forEach((layer, i) => {
      if (i > 0) fromInput = product(layer.inputWeight, state.hidden[i - 1], layer.inputBias);
      updateHidden(state.hidden[i], fromInput, product(layer.stateWeight, state.hidden[i], layer.stateBias));
    });
    return logSoftmax(product(this.projection, state.hidden.at(-1), this.projectionBias));
  }

  firstInput(id) {
    if (!this.inputsById.has(id)) {
      const { inputWeight, inputBias } = this.layers[0];
      const size = this.embedding.numColumns;
      const embedded = Float64Array.from(this.embedding.values.subarray(id * size, (id + 1) * size));
      this.inputsById.set(id, product(inputWeight, embedded, inputBias));
    }
    return this.inputsById.get(id);
  }

  /** Adds the rows of the last two, three and four characters, as far as they have one, to the candidate's input. */
  addNgrams(state, id, fromInput) {
    if (this.ngramPlaces.size === 0) return;
    const known = id < 2 ** Number(ID_BITS) ? id : UNK;
    state.window = BigInt.asUintN(64, (state.window << ID_BITS) | BigInt(known));
    for (const order of NGRAM_ORDERS) {
      const code = BigInt.asUintN(64, state.window << (ID_BITS * (LONGEST_NGRAM - order)));
      const row = this.ngramPlaces.get(code);
      if (row === undefined) continue;
      const [first, size] = [row * this.hiddenSize, this.hiddenSize];
      for (let j = 0; j < size; j++) fromInput[2 * size + j] += this.ngramRows[first + j];
    }
  }
}

/** Returns a matrix times a vector, plus a bias. Four rows at a time load each element of the vector once. */
function product({ values, numRows, numColumns }, vector, bias) {
  const sums = Float64Array.from(bias);
  let row = 0;
  for (; row + 4 <= numRows; row += 4) {
    let a = row * numColumns;
    let b = a + numColumns;
    let c = b + numColumns;
    let d = c + numColumns;
    let sumA = 0;
    let sumB = 0;
    let sumC = 0;
    let sumD = 0;
    for (let k = 0; k < numColumns; k++) {
      const x = vector[k];
      sumA += values[a++] * x;
      sumB += values[b++] * x;
      sumC += values[c++] * x;
      sumD += values[d++] * x;
    }
    sums[row] += sumA;
    sums[row + 1] += sumB;
    sums[row + 2] += sumC;
    sums[row + 3] += sumD;
  }
  for (; row < numRows; row++) {
    for (let k = 0; k < numColumns; k++) sums[row] += values[row * numColumns + k] * vector[k];
  }
  return sums;
}

/** Replaces a layer's hidden state (H) by the next one; both products have the parts r, z and n, (3H). */
function updateHidden(hidden, fromInput, fromState) {
  const size = hidden.length;
  for (let j = 0; j < size; j++) {
    const reset = sigmoid(fromInput[j] + fromState[j]);
    const update = sigmoid(fromInput[size + j] + fromState[size + j]);
    const candidate = Math.tanh(fromInput[2 * size + j] + reset * fromState[2 * size + j]);
    hidden[j] = (1 - update) * candidate + update * hidden[j];
  }
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

function logSoftmax(logits) {
  const highest = logits.reduce((left, right) => Math.max(left, right));
  const logTotal = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0));
  return logits.map((logit) => logit - highest - logTotal);
}
