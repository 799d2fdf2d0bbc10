"use strict";

// The page: writes tweets one after another, and follows the settings. All text is set as text, never as HTML.

const STEP_BITS = [0.5, 1.5, 3, 5, 7.5]; // from this many bits on, the next level of surprise
const CHAR_MILLISECONDS = 30;
const NEXT_MILLISECONDS = 4000;
const MAX_BLOCKED_MILLISECONDS = 50;
const MAX_EARLIER = 20;
const MAX_RANDOM_SEED = 2 ** 31;
const MAX_NAMED_CHARS = 8;

class Page {
  constructor(data) {
    this.data = data;
    this.model = new Model(decodedTensors(data.tensors));
    this.vocab = data.vocab;
    this.idByChar = new Map(data.vocab.map((char, i) => [char, NUM_SPECIALS + i]));
    this.writesAtOnce = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.isPlaying = true; // whether it writes, and goes on to the next tweet
    this.isWanted = false; // whether the tweet was asked for by its seed, so that the next one waits
    this.writer = null;
    this.timer = 0;
    this.showModel();
    this.connect();
    this.start(String(crypto.getRandomValues(new Uint32Array(1))[0] % MAX_RANDOM_SEED));
  }

  showModel() {
    const { name, facts, copies, sampling, temperatures } = this.data;
    document.title += `: ${name}`;
    byId("copies").textContent = copies;
    for (const [term, value] of facts) {
      for (const [tag, text] of [["dt", term], ["dd", value]]) {
        byId("facts").append(Object.assign(element(tag, ""), { textContent: text }));
      }
    }
    byId("prompt").value = sampling.prime;
    byId("temperature").max = temperatures.length - 1;
    byId("temperature").value = temperatures.indexOf(sampling.temperature);
    this.showTemperature();
  }

  connect() {
    byId("another").addEventListener("click", () => this.next());
    byId("pause").addEventListener("click", () => this.pauseOrContinue());
    byId("temperature").addEventListener("input", () => this.showTemperature());
    byId("temperature").addEventListener("change", () => this.restart());
    byId("prompt").addEventListener("change", () => this.restart());
    byId("seed").addEventListener("change", () => this.restart({ isWanted: true }));
    byId("cursor").addEventListener("input", () => this.explain(Number(byId("cursor").value)));
    byId("tweet").addEventListener("click", ({ target }) => {
      const index = Array.from(byId("tweet").children).indexOf(target);
      if (index < 0) return;
      this.explain(index);
      byId("cursor").focus(); // so that the arrow keys go on from here
    });
  }

  get temperature() {
    return this.data.temperatures[Number(byId("temperature").value)];
  }

  showTemperature() {
    const text = this.temperature === 0 ? "0, greedy" : String(this.temperature);
    byId("temperature-shown").value = text;
    byId("temperature").setAttribute("aria-valuetext", text);
  }

  /** Starts the tweet of the settings over. */
  restart({ isWanted = this.isWanted } = {}) {
    this.start(byId("seed").value.trim(), isWanted);
  }

  /** Goes on to the tweet of the next seed, as the program does for several tweets. */
  next() {
    const { value } = byId("seed");
    this.start(isSeed(value) ? String(BigInt(value) + 1n) : value);
  }

  /** Starts a tweet, unless seed or prompt can't be used, which is then shown. */
  start(seed, isWanted = false) {
    this.keep();
    clearTimeout(this.timer);
    byId("seed").value = seed;
    const prompt = Array.from(byId("prompt").value);
    const sampling = { ...this.data.sampling, temperature: this.temperature };
    const problems = {
      seed: isSeed(seed) ? "" : "A seed is a whole number from 0 on.",
      prompt: this.problemOf(prompt, sampling.max_length),
    };
    for (const [field, problem] of Object.entries(problems)) {
      byId(`${field}-problem`).textContent = problem;
      byId(field).setAttribute("aria-invalid", String(problem !== ""));
    }
    if (problems.seed || problems.prompt) {
      this.setPlaying(false);
      return;
    }
    const ids = prompt.map((char) => this.idByChar.get(char));
    this.show(new TweetWriter(this.model, sampling, ids, BigInt(seed)));
    this.isWanted = isWanted;
    this.setPlaying(true);
  }

  /** Returns why a prompt can't be used, or "". */
  problemOf(prompt, maxLength) {
    const unknown = [...new Set(prompt)].filter((char) => !this.idByChar.has(char)).sort();
    if (unknown.length > 0) {
      const named = unknown.slice(0, MAX_NAMED_CHARS).map((char) => `‘${char}’ (${codePoint(char)})`);
      const more = unknown.length > MAX_NAMED_CHARS ? " and more" : "";
      return `The vocabulary lacks ${named.join(", ")}${more}. The model was not trained on it and can't continue from it.`;
    }
    return prompt.length < maxLength ? "" : `It must be shorter than ${maxLength} characters, the longest tweet.`;
  }

  /** Shows a tweet as far as it is written. */
  show(writer) {
    this.writer = writer;
    byId("tweet").replaceChildren();
    byId("why").hidden = true;
    this.showNewChars();
  }

  setPlaying(isPlaying) {
    this.isPlaying = isPlaying;
    byId("pause").textContent = isPlaying ? "Pause" : "Continue";
    clearTimeout(this.timer);
    if (isPlaying) this.play();
  }

  pauseOrContinue() {
    if (!this.isPlaying && this.writer.isDone) this.next();
    else this.setPlaying(!this.isPlaying);
  }

  /** Writes what is due, and plans what comes next. */
  play() {
    const until = performance.now() + MAX_BLOCKED_MILLISECONDS;
    while (!this.writer.isDone) {
      this.writer.advance();
      if (!this.writesAtOnce || performance.now() > until) break;
    }
    this.showNewChars();
    if (!this.writer.isDone) {
      this.timer = setTimeout(() => this.play(), this.writesAtOnce ? 0 : CHAR_MILLISECONDS);
    } else if (this.isWanted || this.writesAtOnce) {
      this.setPlaying(false);
    } else {
      this.timer = setTimeout(() => this.next(), NEXT_MILLISECONDS);
    }
  }

  showNewChars() {
    const { writer } = this;
    const { chars, isDone, hasEnded, sampling } = writer;
    const tweet = byId("tweet");
    for (const { id, bits } of chars.slice(tweet.children.length)) {
      const level = STEP_BITS.filter((step) => bits >= step).length;
      const char = element("span", id === EOS ? `end level-${level}` : `level-${level}`);
      char.textContent = this.vocab[id - NUM_SPECIALS] ?? "";
      tweet.append(char);
    }
    tweet.setAttribute("aria-busy", String(!isDone));
    byId("cursor").max = Math.max(0, chars.length - 1);
    const cut = hasEnded ? "" : `, cut at ${sampling.max_length} characters`;
    byId("status").textContent = isDone ? surpriseOf(writer.bitsPerChar) + cut : "writing …";
  }

  /** Marks a character and shows why it was written; writing pauses. */
  explain(index) {
    const { chars, sampling } = this.writer;
    if (index >= chars.length) return;
    this.setPlaying(false);
    byId("cursor").value = index;
    Array.from(byId("tweet").children).forEach((char, i) => char.classList.toggle("chosen", i === index));
    showWhy(chars[index], Array.from(textOf(chars.slice(0, index), this.vocab)), sampling, this.vocab);
    byId("cursor").setAttribute("aria-valuetext", nameOf(chars[index].id, this.vocab));
  }

  /** Adds the tweet to the earlier ones, unless it is not finished or there already. */
  keep() {
    const { writer } = this;
    if (!writer?.isDone || writer.isKept) return;
    writer.isKept = true;
    const button = Object.assign(element("button", ""), { type: "button" });
    const text = Object.assign(element("bdi", ""), { textContent: textOf(writer.chars, this.vocab) });
    const prompt = textOf(writer.chars.filter(({ uniform }) => uniform === null), this.vocab);
    const beginning = prompt ? `, beginning “${prompt}”` : "";
    const settings = `seed ${writer.seed}, temperature ${writer.sampling.temperature}${beginning}`;
    button.append(text, Object.assign(element("small", ""), { textContent: settings }));
    button.addEventListener("click", () => this.bringBack(writer));
    const item = element("li", "");
    item.append(button);
    for (const other of [...byId("earlier").children]) {
      if (other.textContent === item.textContent) other.remove();
    }
    byId("earlier").prepend(item);
    byId("earlier").children[MAX_EARLIER]?.remove();
    byId("earlier-section").hidden = false;
  }

  /** Shows an earlier tweet again, with its settings. */
  bringBack(writer) {
    this.keep();
    byId("seed").value = writer.seed;
    byId("temperature").value = this.data.temperatures.indexOf(writer.sampling.temperature);
    byId("prompt").value = textOf(writer.chars.filter(({ uniform }) => uniform === null), this.vocab);
    this.showTemperature();
    this.show(writer);
    this.setPlaying(false);
    byId("tweet").scrollIntoView({ block: "nearest" });
  }
}

function surpriseOf(bitsPerChar) {
  const choices = (2 ** bitsPerChar).toFixed(1);
  return `${bitsPerChar.toFixed(2)} bits per character: as unsure as between ${choices} equally likely characters`;
}

function isSeed(text) {
  return /^[0-9]+$/.test(text);
}

function textOf(chars, vocab) {
  return chars.map(({ id }) => vocab[id - NUM_SPECIALS] ?? "").join("");
}

new Page(JSON.parse(byId("data").textContent));
