"use strict";

// Runs the page's scripts, without its DOM, on the JSON from standard input: [script files, [[page data, jobs], ...]].

const fs = require("node:fs");
const vm = require("node:vm");

const [files, pages] = JSON.parse(fs.readFileSync(0, "utf8"));
for (const filename of files) vm.runInThisContext(fs.readFileSync(filename, "utf8"), { filename });

const run = vm.runInThisContext(`([data, jobs]) => {
  const model = data && new Model(decodedTensors(data.tensors));
  const kinds = {
    uniforms: ({ seed, count }) => Array.from(uniformsOf(BigInt(seed), count)),
    tweet: ({ prompt_ids, seed }) => {
      const writer = new TweetWriter(model, data.sampling, prompt_ids, BigInt(seed));
      while (!writer.isDone) writer.advance();
      return { chars: writer.chars, bits_per_char: writer.bitsPerChar };
    },
    log_probs: ({ ids }) => {
      const state = model.newState();
      return ids.map((id) => Array.from(model.step(state, id)));
    },
  };
  return jobs.map((job) => kinds[job.kind](job));
}`);
process.stdout.write(JSON.stringify(pages.map(run)));
