"use strict";

// "Why this character": the likeliest characters as bars, and where the uniform number fell among their shares.

const MIN_LABELLED_SHARE = 0.04;

/** Shows why a character of `TweetWriter.chars` was written, `before` being the text so far. */
function showWhy({ id, bits, uniform, candidates }, before, sampling, vocab) {
  const { temperature, top_k: topK, top_p: topP, min_p: minP } = sampling;
  const named = nameOf(id, vocab);
  const end = before.slice(-20);
  const place = end ? `After “${end.join("")}”` : "At the start";
  const chosen = candidates.find((candidate) => candidate.id === id);
  byId("why-sentence").textContent =
    `${place} the model gave ${named} a chance of ${percent(chosen.own)}: ${bits.toFixed(2)} bits.` +
    (uniform === null ? " It was not drawn, it is of the beginning that you gave." : "");
  const largest = Math.max(...candidates.flatMap(({ own, drawn }) => [own, drawn]));
  byId("bars").replaceChildren(
    ...candidates.map((each) => {
      const bars = [bar("own", each.own / largest), bar("drawn", each.drawn / largest)];
      const chances = `${percent(each.own)} · ${percent(each.drawn)}`;
      return row(each.id === id ? "chosen" : "", labelOf(each.id, vocab), bars, chances);
    }),
  );
  const filters = [topK > 0 && `top-k ${topK}`, topP < 1 && `top-p ${topP}`, minP > 0 && `min-p ${minP}`];
  byId("drawn-key").textContent = [`at ${temperature}`, ...filters.filter(Boolean)].join(", ");
  byId("draw").replaceChildren(...(uniform === null ? [] : drawPicture(id, uniform, candidates, vocab)));
  byId("draw-sentence").textContent = drawSentence(named, chosen, uniform, temperature);
  byId("draw").hidden = uniform === null || temperature === 0;
  byId("why").hidden = false;
}

/** Returns the shares of [0, 1) that the characters have, and a mark at the uniform number. */
function drawPicture(id, uniform, candidates, vocab) {
  const shares = candidates.map((each) => {
    const share = element("span", each.id === id ? "share chosen" : "share");
    share.textContent = each.drawn < MIN_LABELLED_SHARE ? "" : labelOf(each.id, vocab);
    share.style.left = `${100 * each.start}%`;
    share.style.width = `${100 * each.drawn}%`;
    return share;
  });
  const mark = element("span", "mark");
  mark.style.left = `${100 * uniform}%`;
  return [...shares, mark];
}

function drawSentence(named, { start, drawn }, uniform, temperature) {
  if (uniform === null) return "";
  if (temperature === 0) return "At temperature 0 nothing is drawn: the likeliest character is taken.";
  const [mark, from, to] = [uniform, start, start + drawn].map((place) => (100 * place).toFixed(2));
  return (
    "The bar has the chances side by side, 100 % in all. The seed sets a mark on it as a die would, here at " +
    `${mark} %. It lies in the share of ${named}, from ${from} % to ${to} %, so that is what was written.`
  );
}

/** Returns a row of the table, in columns of label, bars and chances. */
function row(className, label, bars, chances) {
  const cells = [["label", [label]], ["bars", bars], ["chances", [chances]]].map(([cellClass, content]) => {
    const cell = element("div", cellClass);
    cell.setAttribute("role", "cell");
    cell.append(...content);
    return cell;
  });
  const made = element("div", className);
  made.setAttribute("role", "row");
  made.append(...cells);
  return made;
}

function bar(className, share) {
  const made = element("span", className);
  made.style.width = `${100 * share}%`;
  return made;
}

function percent(share) {
  const value = 100 * share;
  return `${value >= 99.95 || value === 0 ? value.toFixed(0) : value.toFixed(value < 0.1 ? 3 : 1)} %`;
}

/** Returns a character as a label: "␣" for a space, "end", or its code point if it is not visible alone. */
function labelOf(id, vocab) {
  if (id < NUM_SPECIALS) return id === EOS ? "end" : "";
  const char = vocab[id - NUM_SPECIALS];
  if (char === " ") return "␣";
  return /[\p{M}\p{Cf}]/u.test(char) ? codePoint(char) : char;
}

/** Returns a character in a sentence: ‘g’, "a space", "the end". */
function nameOf(id, vocab) {
  const label = labelOf(id, vocab);
  return { "␣": "a space", end: "the end" }[label] ?? `‘${label}’`;
}

function codePoint(char) {
  return `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

function byId(id) {
  return document.getElementById(id);
}

function element(tag, className) {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}
