// Waiting, always with an end and with words for what was awaited.

export const TIMEOUT = 5000;

/** The value of `promise`, or an error saying what was awaited. */
export async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`awaited ${what} for ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks `probe` again and again until `accept` takes its answer; for what no event announces. */
export async function eventually(what, probe, accept, ms = TIMEOUT) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await probe();
    if (accept(answer)) return answer;
    if (Date.now() > end) throw new Error(`awaited ${what} for ${ms} ms; last seen: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Arrivals in order, by name: what came before somebody waited for it is not lost. */
export class Mailbox {
  #letters = [];
  #waiting = [];

  put(name, args) {
    const index = this.#waiting.findIndex((reader) => reader.name === name);
    if (index === -1) this.#letters.push({ name, args });
    else this.#waiting.splice(index, 1)[0].resolve(args);
  }

  /** Takes the oldest letter of that name, waiting for one if there is none. */
  async take(name, ms, what) {
    const index = this.#letters.findIndex((letter) => letter.name === name);
    if (index !== -1) return this.#letters.splice(index, 1)[0].args;
    const reader = { name };
    const arrival = new Promise((resolve) => (reader.resolve = resolve));
    this.#waiting.push(reader);
    try {
      return await within(ms, what, arrival);
    } catch (error) {
      this.#waiting = this.#waiting.filter((other) => other !== reader);
      throw new Error(`${error.message}; unread: ${this.#summary()}`);
    }
  }

  /** Takes all letters of that name which are there. */
  takeAll(name) {
    const found = this.#letters.filter((letter) => letter.name === name);
    this.#letters = this.#letters.filter((letter) => letter.name !== name);
    return found.map(({ args }) => args);
  }

  #summary() {
    const names = this.#letters.map(({ name }) => name);
    return names.length > 12 ? `${names.slice(0, 12).join(", ")} and ${names.length - 12} more` : names.join(", ") || "nothing";
  }
}
